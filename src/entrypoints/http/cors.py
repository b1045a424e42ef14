"""Cross-origin requests of browsers (CORS, in the Fetch standard), from pages of the origins that the settings name.

Callers bring their token in a header, which a page must have. The cookie of the board counts only with a header that
such a page may not send. So no answer allows credentials, and what a page may read is what its token may.
"""

from collections.abc import Collection, Mapping
from typing import Any

from attrs import frozen

REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "X-Correlation-ID",
    "traceparent",
)
"""Headers that a page may send. X-Actor is not among them: it is for programs of this machine."""
EXPOSED_HEADERS = (
    "Allow",
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    "X-Correlation-ID",
    "traceparent",
)
"""Headers of a response that a page may read, besides those that it always may."""
MAX_AGE = 600
"""Seconds for which a browser need not ask again."""

Pairs = tuple[tuple[bytes, bytes], ...]
_VARY = (b"vary", b"Origin")


@frozen
class Cors:
    """The origins of which pages may call, each as a browser sends it; the methods that they may use."""

    origins: frozenset[str]
    methods: tuple[str, ...]

    @classmethod
    def of(cls, origins: Collection[str], methods: Collection[str]) -> "Cors | None":
        """Return it for an API with routes of these ``methods``; None without origins."""
        allowed = tuple(sorted({*methods, "HEAD"} - {"OPTIONS"}))
        return cls(frozenset(origins), allowed) if origins else None

    def headers(self, request: Mapping[str, str]) -> Pairs:
        """Return the headers of a response to ``request``, whatever its status is."""
        if not (origin := self._allowed(request)):
            return (_VARY,)
        return (
            (b"access-control-allow-origin", origin.encode()),
            (b"access-control-expose-headers", ", ".join(EXPOSED_HEADERS).encode()),
            _VARY,
        )

    def is_preflight(self, method: str, request: Mapping[str, str]) -> bool:
        """Return whether the browser of an allowed page asks what the page may send."""
        return method == "OPTIONS" and "access-control-request-method" in request and bool(self._allowed(request))

    async def answer_preflight(self, scope: Any, receive: Any, send: Any) -> None:
        """Allow every method and header of the API. The request itself is refused if its path lacks the method."""
        headers = [
            (b"access-control-allow-methods", ", ".join(self.methods).encode()),
            (b"access-control-allow-headers", ", ".join(REQUEST_HEADERS).encode()),
            (b"access-control-max-age", b"%d" % MAX_AGE),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _allowed(self, request: Mapping[str, str]) -> str:
        origin = request.get("origin", "")
        return origin if origin in self.origins else ""
