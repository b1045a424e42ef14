"""Limits of each caller: requests a second, and requests, live streams, batches and exports at once in this process."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field, frozen
from limits import RateLimitItemPerSecond

from ...adapters.telemetry import Instruments
from ...adapters.telemetry.metrics import catalogue
from .request_counters import RequestCounters, shared_counters

HEADERS = "orderflow.headers"
"""The key of the scope with headers of the response, of any status."""
RELEASE = "orderflow.release"
"""The key of the scope with what is to be called at the end of the request."""


BATCHES_OF_CALLER = 2
"""Batches of orders that a caller may have at once: the responses to all orders of a batch are kept until its end."""
EXPORTS_OF_CALLER = 4
"""Exports that a caller may have at once: each reads from the database as long as the caller reads from it."""

LOGINS, LOGIN_SECONDS = 30, 60
"""Attempts to log in to the board, from one address."""


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
    _counters: RequestCounters = field(init=False)
    _requests: Counter[str] = field(factory=Counter, init=False)
    _streams: Counter[str] = field(factory=Counter, init=False)
    _batches: Counter[str] = field(factory=Counter, init=False)
    _exports: Counter[str] = field(factory=Counter, init=False)

    def __attrs_post_init__(self) -> None:
        self._rate = RateLimitItemPerSecond(self.limits.requests_per_second)
        self._counters = RequestCounters(shared_counters(self.limits.shared) if self.limits.shared else None)

    async def close(self) -> None:
        await self._counters.close()

    async def admit(
        self, scope: Any, caller: str, *, stream: bool = False, batch: bool = False, export: bool = False
    ) -> None:
        """Count a request of ``caller`` until its end, and set its RateLimit headers. Raises TooManyRequests.

        The headers are those of https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10.
        """
        if not await self.granted(scope, caller, 1):
            raise self.above_rate()
        if self._requests[caller] >= self.limits.requests:
            raise self._refused("requests_at_once", f"a caller may have {self.limits.requests} requests at once")
        if stream and self._streams[caller] >= self.limits.streams:
            raise self._refused("streams_at_once", f"a caller may have {self.limits.streams} live streams at once")
        if batch and self._batches[caller] >= BATCHES_OF_CALLER:
            raise self._refused("batches_at_once", f"a caller may have {BATCHES_OF_CALLER} batches of orders at once")
        if export and self._exports[caller] >= EXPORTS_OF_CALLER:
            raise self._refused("exports_at_once", f"a caller may have {EXPORTS_OF_CALLER} exports at once")
        kinds = ((stream, self._streams), (batch, self._batches), (export, self._exports))
        scope[RELEASE] = self._begin(caller, kinds)

    async def admit_login(self, peer: str) -> None:
        """Count an attempt to log in from the address ``peer``. Raises TooManyRequests."""
        if await self._counters.count(f"login/{peer}", seconds=LOGIN_SECONDS) > LOGINS:
            error = self._refused("logins", f"an address may try to log in {LOGINS} times in {LOGIN_SECONDS} seconds")
            error.retry_after = LOGIN_SECONDS
            raise error

    async def granted(self, scope: Any, caller: str, wanted: int) -> int:
        """Count ``wanted`` requests of ``caller``, and return how many of them are within its rate."""
        limit = self.limits.requests_per_second
        count = await self._counters.count(self._rate.key_for(caller), wanted)
        scope[HEADERS] = [
            (b"ratelimit-policy", b'"caller";q=%d;w=1' % limit),
            (b"ratelimit", b'"caller";r=%d;t=1' % max(0, limit - count)),
        ]
        return max(0, wanted - max(0, count - limit))

    def above_rate(self) -> TooManyRequests:
        """Count a request above the rate, and return its error."""
        return self._refused("request_rate", f"a caller may send {self.limits.requests_per_second} requests a second")

    def _refused(self, reason: str, problem: str) -> TooManyRequests:
        if self.instruments is not None:
            self.instruments.add(catalogue.HTTP_REFUSALS, reason=reason)
        return TooManyRequests(problem)

    def _begin(self, caller: str, kinds: Iterable[tuple[bool, Counter[str]]]) -> Callable[[], None]:
        counters = [self._requests, *(counter for applies, counter in kinds if applies)]
        for counter in counters:
            counter[caller] += 1

        def release() -> None:
            for counter in counters:
                counter[caller] -= 1
                if not counter[caller]:
                    del counter[caller]

        return release
