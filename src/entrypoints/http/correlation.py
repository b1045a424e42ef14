"""One correlation id around every request, and the trace that it belongs to."""

import re
from typing import TYPE_CHECKING

import uuid_utils
from litestar import Litestar
from litestar.datastructures import Headers
from structlog.contextvars import bound_contextvars

from ...application.request import Request, answering

if TYPE_CHECKING:
    from litestar.types import LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send

HEADER = "X-Correlation-ID"
_ACCEPTED = (HEADER.lower(), "correlation-id")
_CORRELATION = re.compile(r"[!-~]{1,128}\Z")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")


class CorrelatedApp(Litestar):
    """Litestar with a correlation id around every request, also those that match no route.

    The caller's own id is kept where it is 1 to 128 printable ASCII characters without spaces; otherwise it is a new
    UUIDv7. It is answered in ``X-Correlation-ID`` and travels with everything the request causes.
    """

    async def __call__(
        self,
        scope: "Scope | LifeSpanScope",
        receive: "Receive | LifeSpanReceive",
        send: "Send | LifeSpanSend",
    ) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
            return
        request = request_of(Headers.from_scope(scope))
        # An identifier may hold a slash: only the path as it was sent tells it from a separator.
        if raw := scope.get("raw_path"):
            scope["path"] = raw.partition(b"?")[0].decode("latin-1")

        async def correlated(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (HEADER.lower().encode(), request.correlation_id.encode()),
                ]
            await send(message)  # type: ignore[arg-type]

        with answering(request), bound_contextvars(correlation_id=request.correlation_id):
            await super().__call__(scope, receive, correlated)


def request_of(headers: Headers) -> Request:
    """What ``headers`` say about where a request comes from; an ill-formed traceparent is left out."""
    said = next((headers[name] for name in _ACCEPTED if name in headers), "")
    traceparent = headers.get("traceparent", "")
    return Request(
        correlation_id=said if _CORRELATION.match(said) else str(uuid_utils.uuid7()),
        traceparent=traceparent if _TRACEPARENT.match(traceparent) else "",
    )
