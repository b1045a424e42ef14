"""Waiting in loops: back-off after failures, linger after small batches, rate limits, and pauses that can stop."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from math import inf
from random import random
from time import monotonic

from attrs import define, field, frozen

from ..domain.errors import InvalidInput
from ..domain.text import shown


@define
class Backoff:
    """Exponential back-off from ``first`` to ``longest`` seconds, with jitter of up to half of each pause.

    The jitter keeps clients that failed together from retrying together.
    """

    first: float = 0.05
    longest: float = 5.0
    jitter: Callable[[], float] = random
    _next: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._next = self.first

    def pause(self) -> float:
        """Return the seconds to wait before the next try, and double the next pause."""
        pause, self._next = self._next, min(self.longest, self._next * 2)
        return pause * (0.5 + self.jitter() / 2)

    def reset(self) -> None:
        """Start from ``first`` again, after a success."""
        self._next = self.first


def doubled(first: timedelta, longest: timedelta, times: int) -> timedelta:
    """Return ``first`` doubled that many times, at most ``longest``: the pause after so many failed attempts."""
    return min(longest, first * (1 << min(times, 20)))


@frozen
class Linger:
    """The pause after a batch that was not full, so that the next transaction carries more than one event.

    It is as long as makes the work take about ``share`` of the time, and at most ``longest`` seconds. Quick work is
    followed by a short pause.
    """

    share: float
    longest: float

    def after(self, taken: float) -> float:
        """Return the seconds to wait after work that took ``taken`` seconds."""
        return min(self.longest, taken * (1 / self.share - 1))


@define(eq=False)
class RateLimit:
    """A limit of ``rate`` turns per second, evenly spaced; None is no limit. Raises InvalidInput for another rate."""

    rate: float | None = None
    now: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    _next: float = field(default=-inf, init=False)

    def __attrs_post_init__(self) -> None:
        if self.rate is not None and not (isinstance(self.rate, int | float) and 0 < self.rate < inf):
            raise InvalidInput("rate", f"it is {shown(self.rate)}", "a number of events a second, more than 0")

    async def turn(self) -> None:
        """Wait for the next turn. Turns that were not used in time are lost."""
        if self.rate is None:
            return
        now = self.now()
        wait, self._next = self._next - now, max(self._next, now) + 1 / self.rate
        if wait > 0:
            await self.sleep(wait)


async def unless_stopped(stop: asyncio.Event, waiting: Awaitable[object]) -> None:
    """Wait for ``waiting`` or until ``stop`` is set, which cancels ``waiting``."""
    tasks = {asyncio.ensure_future(waiting), asyncio.ensure_future(stop.wait())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait ``seconds``, or until ``stop`` is set."""
    await unless_stopped(stop, asyncio.sleep(seconds))
