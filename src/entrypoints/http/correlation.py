"""The correlation id, the trace and the log line of every request."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import uuid_utils
from attrs import define, field
from litestar import Litestar
from litestar.datastructures import Headers
from opentelemetry.trace import Span, SpanKind

from ...adapters.telemetry.tracing.tracing import Tracing, failed
from ...application.audit import DONE, audit
from ...application.auth import Grant
from ...application.log_lines import log_each, request_fields
from ...application.redaction import redact
from ...application.request_context import (
    Request,
    answering,
    current_request,
    is_correlation_id,
    is_traceparent,
    new_traceparent,
)
from ...domain.text import is_identifier
from .auth import GRANT
from .caller_limits import HEADERS, RELEASE
from .cors import Cors, Pairs
from .log_limit import LogLimit

if TYPE_CHECKING:
    from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send

HEADER = "X-Correlation-ID"
TRACEPARENT = "traceparent"
ERROR = "orderflow.error"
"""The key of the scope with the error of the request, for its log line."""
READ_HEADERS = "orderflow.read_headers"
"""The key of the scope with the headers of the request, which are read once."""
ABOUT = "orderflow.about"
"""The key of the scope with the ids that the body names instead of the path, by the names of path parameters."""
SUBJECTS = {
    "customer_id": "customer",
    "restaurant_id": "restaurant",
    "endpoint_id": "endpoint",
    "consumer": "consumer",
}
"""Parameters that are ids of what a request is about, if it is not an order, and what they are ids of."""
_PLACED = b"/v1/orders/"
NO_STORE = ((b"cache-control", b"no-store"),)
"""No browser or proxy keeps a response on its disk unless it says otherwise."""
_ACCEPTED = (HEADER.lower(), "correlation-id")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Routes that are requested every few seconds. They are logged at level debug."""

_LIMITED = frozenset({400, 401, 404, 405, 413, 415, 429, 500, 503})
"""Statuses that every request may get: without a token or an order, or because of one error inside.

Only the first of many such log lines are written.
"""

_log = logging.getLogger("orderflow.http")


class CorrelatedApp(Litestar):
    """Litestar with a correlation id and a trace for every request, also if no route matches.

    The caller's id is used if it has 1 to 128 printable ASCII characters without spaces; otherwise the id is a new
    UUIDv7. The caller's ``traceparent`` is used if it is well-formed; otherwise a new trace begins. Both are returned,
    as ``X-Correlation-ID`` and ``traceparent``, and are passed on to everything that the request causes.
    """

    tracing: Tracing | None = None
    log_limit: LogLimit | None = None
    """The limit of the log lines of refusals and errors, which the first request sets."""
    direct: Callable[[Any, Any, Any], Awaitable[bool]] | None = None
    """Responds to some requests and returns True; Litestar responds to the others."""
    cors: Cors | None = None
    """The other origins of which pages may call; None if there are none."""

    async def __call__(
        self,
        scope: "Scope | LifeSpanScope",
        receive: "Receive | LifeSpanReceive",
        send: "Send | LifeSpanSend",
    ) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        # An identifier may contain an encoded slash, which only the raw path distinguishes from a separator.
        if raw := scope.get("raw_path"):
            scope["raw_path"] = raw = _origin_form(raw.partition(b"?")[0])
            scope["path"] = raw.decode("latin-1")
        if self.log_limit is None:
            self.log_limit = LogLimit()
        headers = scope[READ_HEADERS] = Headers.from_scope(scope)  # type: ignore[literal-required]
        cors = self.cors
        exchange = _Exchange(scope, headers, self.routes, self.log_limit, () if cors is None else cors.headers(headers))
        handle = _answer_options if exchange.is_about_server else self._respond
        if cors is not None and cors.is_preflight(exchange.method, headers):
            handle = cors.answer_preflight
        if exchange.method == "HEAD":  # handled like GET, up to the body
            exchange.scope["method"] = "GET"
        tracing = self.tracing is not None and self.tracing.on
        with answering(request_from(headers, traced=tracing)):
            try:
                if self.tracing is None or not tracing:
                    await handle(scope, exchange.read(receive), exchange.wrap(send))
                else:
                    with self.tracing.span(exchange.method, SpanKind.SERVER) as span:
                        await handle(scope, exchange.read(receive), exchange.wrap(send))
                        exchange.annotate(span)
            finally:
                exchange.scope.pop(RELEASE, bool)()
                exchange.log()

    async def _respond(self, scope: Any, receive: Any, send: Any) -> None:
        if self.direct is None or not await self.direct(scope, receive, send):
            await super().__call__(scope, receive, send)


@define(eq=False)
class _Exchange:
    """One request and its response, for headers, log line and span. Path, query and bodies are never logged."""

    scope: Any
    headers: Headers
    routes: Sequence[Any]
    log_limit: LogLimit
    cross_origin: Pairs = ()
    began: float = field(factory=perf_counter)
    status: int | None = None
    request: Request = field(factory=current_request)
    method: str = field(init=False)
    unread: bool = field(init=False)
    """True if the rest of the request's body is still to be received."""

    def __attrs_post_init__(self) -> None:
        method, headers = str(self.scope.get("method", "")), self.headers
        self.method = method if method in _METHODS else "_OTHER"
        self.unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers

    @property
    def route(self) -> str:
        """The template of the path, or empty if no route matches."""
        return str(self.scope.get("path_template", ""))

    @property
    def path_parameters(self) -> Mapping[str, str]:
        """The parameters in the path, decoded."""
        return {name: unquote(value) for name, value in self.scope.get("path_params", {}).items()}

    @property
    def is_about_server(self) -> bool:
        """True for ``OPTIONS *``, which is about the server and not about a path (RFC 9110, section 9.3.7)."""
        return self.method == "OPTIONS" and self.scope["path"] == "*"

    def read(self, receive: Any) -> Any:
        async def received() -> Any:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                self.unread = False
            return message

        return received

    def wrap(self, send: Any) -> Any:
        """Return ``send`` with our headers, and without a body for HEAD.

        A response that comes before the end of the request's body closes the connection, or the rest would be read.
        """
        self.request = current_request()
        headers = (
            (HEADER.lower().encode(), self.request.correlation_id.encode()),
            (TRACEPARENT.encode(), self.request.traceparent.encode()),
        )

        async def correlated(message: "Message") -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.note_placed(message["headers"])
                own = [(name, self.allow(value) if name == b"allow" else value) for name, value in message["headers"]]
                message["headers"] = [
                    *own,
                    *headers,
                    *(NO_STORE if self.is_of_api and not any(name == b"cache-control" for name, _ in own) else ()),
                    *self.cross_origin,
                    *self.scope.get(HEADERS, ()),
                    *([(b"connection", b"close")] if self.unread else []),
                ]
                await send(message)
                if self.method == "HEAD":
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif self.method != "HEAD":
                await send(message)

        return correlated

    def note_placed(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Note the id of an order that was created, which is in its address alone."""
        location = dict(headers).get(b"location", b"") if self.status == 201 else b""
        if location.startswith(_PLACED):
            self.scope[ABOUT] = {"order_id": unquote(location.removeprefix(_PLACED).decode("latin-1"))}

    def allow(self, methods: bytes) -> bytes:
        """Return the value of Allow. Litestar's response to OPTIONS has only the methods of one handler of the path."""
        if self.is_about_server:
            found = [route.methods for route in self.routes]
        else:
            found = [it.methods for it in self.routes if self.method == "OPTIONS" and it.path_format == self.route]
        return _with_head(b",".join([methods, *(method.encode() for each in found for method in each)]))

    def log(self) -> None:
        code = self.scope[ERROR]["code"] if ERROR in self.scope else f"http_{self.status}"
        admitted = self.status not in _LIMITED or self.log_limit.admits(code)
        if self.is_audited and (admitted or GRANT in self.scope):
            self.audit(code)
        level = logging.DEBUG if self.route in _PROBES else logging.INFO
        if not (admitted and _log.isEnabledFor(level)):
            return
        order_id = self.path_parameters.get("order_id")
        line: dict[str, object] = {
            **request_fields(self.request),
            **({"order_id": redact(order_id)} if is_identifier(order_id) else {}),
            "duration": round(perf_counter() - self.began, 6),
            **({"error": self.scope[ERROR]} if ERROR in self.scope else {}),
            "method": self.method,
            "route": self.route,
            "status": self.status,
        }
        log_each(_log, level, "request", [line])

    @property
    def is_of_api(self) -> bool:
        """True for the paths behind a token or a session, whose responses may have personal data."""
        path: str = self.scope["path"].removeprefix(self.scope.get("root_path", ""))
        return path.startswith(("/v1/", "/board/session"))

    @property
    def is_audited(self) -> bool:
        """True for a write, a refusal, an export, or a command of operators, of the API."""
        if not self.is_of_api or self.method == "OPTIONS":
            return False
        refused = self.status is None or self.status >= 400
        exported = self.route.startswith(("/v1/customers/", "/v1/orders.csv"))
        return refused or self.method not in ("GET", "HEAD") or exported

    def audit(self, code: str) -> None:
        grant: Grant | None = self.scope.get(GRANT)
        parameters = {**self.path_parameters, **self.scope.get(ABOUT, {})}
        order_id = parameters.get("order_id")
        client = self.scope.get("client")
        audit(
            self.request,
            door="http",
            action=f"{self.method} {self.route}".strip(),
            outcome=DONE if self.status is not None and self.status < 400 else code,
            actor="" if grant is None else str(grant.actor),
            label="" if grant is None else redact(grant.label),
            origin=client[0] if client else "",
            order_id=redact(order_id) if is_identifier(order_id) else "",
            subject=next(
                (
                    f"{kind}:{redact(parameters[name])}"
                    for name, kind in SUBJECTS.items()
                    if is_identifier(parameters.get(name))
                ),
                "",
            ),
        )

    def annotate(self, span: Span) -> None:
        span.update_name(f"{self.method} {self.route}".strip())
        span.set_attribute("http.request.method", self.method)
        if self.route:
            span.set_attribute("http.route", self.route)
        if self.status is not None:
            span.set_attribute("http.response.status_code", self.status)
            if self.status >= 500:
                failed(span, str(self.scope.get(ERROR, {}).get("code", self.status)))


async def _answer_options(scope: "Scope", receive: "Receive", send: "Send") -> None:
    await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", b"OPTIONS")]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _origin_form(target: bytes) -> bytes:
    """Return the path of a target that may be a whole URL, which every server must accept (RFC 9112, section 3.2.2)."""
    if not target[:8].lower().startswith((b"http://", b"https://")):
        return target
    return b"/" + target.partition(b"://")[2].partition(b"/")[2]


def allowed_methods(headers: Mapping[str, str] | None) -> str:
    """Return the methods in the header Allow, and HEAD if GET is one of them."""
    return _with_head((headers or {}).get("allow", "").encode()).decode() or "none"


def _with_head(allowed: bytes) -> bytes:
    methods = {method.strip() for method in allowed.split(b",")} - {b""}
    return b", ".join(sorted(methods | {b"HEAD"} if b"GET" in methods else methods))


def request_from(headers: Headers, *, traced: bool = True) -> Request:
    """Read the context of a request from its headers. An ill-formed traceparent is ignored.

    Without a well-formed one a trace begins here, unless the request is ``traced``: then its span begins one.
    """
    correlation_id = next((headers[name] for name in _ACCEPTED if name in headers), "")
    traceparent = headers.get(TRACEPARENT, "")
    return Request(
        correlation_id=correlation_id if is_correlation_id(correlation_id) else str(uuid_utils.uuid7()),
        traceparent=traceparent if is_traceparent(traceparent) else "" if traced else new_traceparent(),
        requested_at=datetime.now(UTC),
        door="http",
    )
