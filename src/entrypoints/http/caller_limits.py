"""Limits of each caller: requests a second, and requests and live streams at once in this process."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from limits import RateLimitItemPerSecond

from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics import catalogue
from .request_rates import RequestRates, shared_counters

HEADERS = "orderflow.headers"
"""The key of the scope with headers of the response, of any status."""
RELEASE = "orderflow.release"
"""The key of the scope with what is to be called at the end of the request."""


class TooManyRequests(Exception):
    """Raised if a caller exceeds a limit. ``retry_after`` is a number of seconds."""

    def __init__(self, problem: str, retry_after: int = 1) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


@frozen(kw_only=True)
class CallerLimits:
    """Limits of one caller. An address without a valid token is a caller, too.

    ``shared`` is the URL of the Redis in which several processes count the requests a second together.
    """

    requests_per_second: int = 500
    requests: int = 100
    streams: int = 50
    shared: str = field(default="", repr=False)


@define(eq=False)
class Callers:
    """The callers of one application."""

    limits: CallerLimits
    instruments: Instruments | None = None
    _rate: RateLimitItemPerSecond = field(init=False)
    _rates: RequestRates = field(init=False)
    _requests: Counter[str] = field(factory=Counter, init=False)
    _streams: Counter[str] = field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        self._rate = RateLimitItemPerSecond(self.limits.requests_per_second)
        self._rates = RequestRates(shared_counters(self.limits.shared) if self.limits.shared else None)

    async def close(self) -> None:
        await self._rates.close()

    async def admit(self, scope: Any, caller: str, *, stream: bool = False) -> None:
        """Count a request of ``caller`` until its end, and set its RateLimit headers. Raises TooManyRequests.

        The headers are those of https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10.
        """
        limit = self.limits.requests_per_second
        count = await self._rates.count(self._rate.key_for(caller))
        scope[HEADERS] = [
            (b"ratelimit-policy", b'"caller";q=%d;w=1' % limit),
            (b"ratelimit", b'"caller";r=%d;t=1' % max(0, limit - count)),
        ]
        if count > limit:
            raise self._refused("request_rate", f"a caller may send {limit} requests a second")
        if self._requests[caller] >= self.limits.requests:
            raise self._refused("requests_at_once", f"a caller may have {self.limits.requests} requests at once")
        if stream and self._streams[caller] >= self.limits.streams:
            raise self._refused("streams_at_once", f"a caller may have {self.limits.streams} live streams at once")
        scope[RELEASE] = self._begin(caller, stream)

    def _refused(self, reason: str, problem: str) -> TooManyRequests:
        if self.instruments is not None:
            self.instruments.add(catalogue.HTTP_REFUSALS, reason=reason)
        return TooManyRequests(problem)

    def _begin(self, caller: str, stream: bool) -> Callable[[], None]:
        counters = [self._requests, self._streams] if stream else [self._requests]
        for counter in counters:
            counter[caller] += 1

        def release() -> None:
            for counter in counters:
                counter[caller] -= 1
                if not counter[caller]:
                    del counter[caller]

        return release
