"""One correlation id and one trace around every request, and a line about it."""

import logging
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

import uuid_utils
from attrs import define, evolve, field
from litestar import Litestar
from litestar.datastructures import Headers
from opentelemetry.trace import Span, SpanKind

from ...adapters.telemetry.tracing.tracing import Tracing, failed
from ...application.log_lines import belonging_to, log_each
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

if TYPE_CHECKING:
    from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send

HEADER = "X-Correlation-ID"
TRACEPARENT = "traceparent"
ERROR = "orderflow.error"
"""Where the scope keeps what a request was refused with, as its line tells it."""
_ACCEPTED = (HEADER.lower(), "correlation-id")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines: their lines are for debugging."""

log = logging.getLogger("orderflow.http")


class CorrelatedApp(Litestar):
    """Litestar with a correlation id and a trace around every request, also those that match no route.

    The caller's own id is kept where it is 1 to 128 printable ASCII characters without spaces; otherwise it is a new
    UUIDv7. So is its ``traceparent`` where that is well-formed; where none came in, a trace begins here. Both are
    answered, ``X-Correlation-ID`` and ``traceparent``, and travel with everything the request causes.
    """

    tracing: Tracing | None = None

    async def __call__(
        self,
        scope: "Scope | LifeSpanScope",
        receive: "Receive | LifeSpanReceive",
        send: "Send | LifeSpanSend",
    ) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        # An identifier may hold a slash: only the path as it was sent tells it from a separator.
        if raw := scope.get("raw_path"):
            scope["path"] = raw.partition(b"?")[0].decode("latin-1")
        answered = _Answered(scope)
        with answering(request_of(Headers.from_scope(scope))) as request:
            try:
                if self.tracing is None or not self.tracing.on:
                    with answering(evolve(request, traceparent=request.traceparent or new_traceparent())):
                        await super().__call__(scope, receive, answered.through(send))
                else:
                    with self.tracing.span(answered.method, SpanKind.SERVER) as span:
                        await super().__call__(scope, receive, answered.through(send))
                        answered.tell(span)
            finally:
                answered.say()


@define(eq=False)
class _Answered:
    """What became of one request: for its headers, its line and its span. No path, no query and no body is told."""

    scope: Any
    began: float = field(factory=perf_counter)
    status: int | None = None
    request: Request = field(factory=current_request)

    @property
    def method(self) -> str:
        method = str(self.scope.get("method", ""))
        return method if method in _METHODS else "_OTHER"

    @property
    def route(self) -> str:
        """The path with names for its parameters; empty where none matched."""
        return str(self.scope.get("path_template", ""))

    def through(self, send: Any) -> Any:
        self.request = current_request()
        given = (
            (HEADER.lower().encode(), self.request.correlation_id.encode()),
            (TRACEPARENT.encode(), self.request.traceparent.encode()),
        )

        async def correlated(message: "Message") -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                message["headers"] = [*message["headers"], *given]
            await send(message)

        return correlated

    def say(self) -> None:
        order_id = self.scope.get("path_params", {}).get("order_id")
        line: dict[str, object] = {
            **belonging_to(self.request),
            **({"order_id": redact(order_id)} if is_identifier(order_id) else {}),
            "duration": round(perf_counter() - self.began, 6),
            **({"error": self.scope[ERROR]} if ERROR in self.scope else {}),
            "method": self.method,
            "route": self.route,
            "status": self.status,
        }
        log_each(log, logging.DEBUG if self.route in _PROBES else logging.INFO, "request", [line])

    def tell(self, span: Span) -> None:
        span.update_name(f"{self.method} {self.route}".strip())
        span.set_attribute("http.request.method", self.method)
        if self.route:
            span.set_attribute("http.route", self.route)
        if self.status is not None:
            span.set_attribute("http.response.status_code", self.status)
            if self.status >= 500:
                failed(span, str(self.scope.get(ERROR, {}).get("code", self.status)))


def request_of(headers: Headers) -> Request:
    """What ``headers`` say about where a request comes from; an ill-formed traceparent is left out."""
    said = next((headers[name] for name in _ACCEPTED if name in headers), "")
    traceparent = headers.get(TRACEPARENT, "")
    return Request(
        correlation_id=said if is_correlation_id(said) else str(uuid_utils.uuid7()),
        traceparent=traceparent if is_traceparent(traceparent) else "",
        requested_at=datetime.now(UTC),
    )
