"""Limits of each caller: requests a second, and requests, live streams, batches and exports at once in this process."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
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

_CALLED = {"streams": "live streams", "batches": "batches of orders"}

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
    _most: Mapping[str, int] = field(init=False)
    """The number that a caller may have at once, by kind."""
    _at_once: Counter[tuple[str, str]] = field(factory=Counter, init=False)
    """The number that each caller has now, by kind and caller."""

    def __attrs_post_init__(self) -> None:
        self._rate = RateLimitItemPerSecond(self.limits.requests_per_second)
        self._counters = RequestCounters(shared_counters(self.limits.shared) if self.limits.shared else None)
        self._most = {
            "requests": self.limits.requests,
            "streams": self.limits.streams,
            "batches": BATCHES_OF_CALLER,
            "exports": EXPORTS_OF_CALLER,
        }

    async def close(self) -> None:
        await self._counters.close()

    async def admit(self, scope: Any, caller: str, *, kind: str = "requests") -> None:
        """Count a request of ``caller`` until its end, and set its RateLimit headers. Raises TooManyRequests.

        ``kind`` is that of a request with a limit of its own besides. The headers are those of
        https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-10.
        """
        if not await self.granted(scope, caller, 1):
            raise self.above_rate()
        kinds = dict.fromkeys(("requests", kind))
        for each in kinds:
            if self._at_once[each, caller] >= self._most[each]:
                problem = f"a caller may have {self._most[each]} {_CALLED.get(each, each)} at once"
                raise self._refused(f"{each}_at_once", problem)
        scope[RELEASE] = self._begin([(each, caller) for each in kinds])

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

    def _begin(self, counted: Collection[tuple[str, str]]) -> Callable[[], None]:
        self._at_once.update(counted)

        def release() -> None:
            self._at_once.subtract(counted)
            for each in counted:
                if not self._at_once[each]:
                    del self._at_once[each]

        return release
