"""How long loops wait, that they stop waiting when they are asked to stop, and at what pace work goes."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf
from random import random
from time import monotonic

from attrs import define, field, frozen

from ..domain.errors import InvalidInput


@define
class Backoff:
    """Pauses after failures: each about twice the last, from ``first`` to ``longest`` seconds, half of it by chance.

    The chance keeps those who failed together from asking again together.
    """

    first: float = 0.05
    longest: float = 5.0
    chance: Callable[[], float] = random
    _next: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._next = self.first

    def pause(self) -> float:
        """Seconds to wait before asking again."""
        pause, self._next = self._next, min(self.longest, self._next * 2)
        return pause * (0.5 + self.chance() / 2)

    def reset(self) -> None:
        """It works again."""
        self._next = self.first


@frozen
class Linger:
    """How long to let news gather after a batch that was not full, so that transactions carry more than one event.

    So long that the work takes about ``share`` of the time, at most ``longest`` seconds: quick work is done at once.
    """

    share: float
    longest: float

    def after(self, taken: float) -> float:
        """Seconds to wait after work that took ``taken`` seconds."""
        return min(self.longest, taken * (1 / self.share - 1))


@define(eq=False)
class RateLimit:
    """At most ``rate`` turns a second, evenly; without one, as they come. Raises InvalidInput for what is no rate."""

    rate: float | None = None
    now: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    _next: float = field(default=-inf, init=False)

    def __attrs_post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate < inf:
            raise InvalidInput("rate", f"it is {self.rate:g}", "a number of events a second, more than 0")

    async def turn(self) -> None:
        """Wait until it is our turn; one that was not taken in time is not made up for."""
        if self.rate is None:
            return
        now = self.now()
        wait, self._next = self._next - now, max(self._next, now) + 1 / self.rate
        if wait > 0:
            await self.sleep(wait)


async def unless_stopped(stop: asyncio.Event, waiting: Awaitable[object]) -> None:
    """Wait for ``waiting``, but no longer than until ``stop`` is set; then ``waiting`` is cancelled."""
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
