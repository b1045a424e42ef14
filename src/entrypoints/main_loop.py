"""The main event loop of a process, as other threads see it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import ParamSpec, TypeVar

from attrs import define, field

from ..domain.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

BEAT_SECONDS = 0.5
BLOCKED_AFTER = 2.0
"""Seconds without a callback after which calls are refused at once."""


@define(eq=False)
class MainLoop:
    """Knows how long the event loop has been blocked, and runs calls on it. Any thread may use it."""

    loop: asyncio.AbstractEventLoop
    clock: Callable[[], float] = monotonic
    _ran_at: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._ran_at = self.clock()

    def blocked(self) -> float:
        """Return the seconds since the loop last ran a callback, up to BEAT_SECONDS too many."""
        return self.clock() - self._ran_at

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Note inside the context that the loop runs. Enter it on the loop."""
        noting = asyncio.create_task(self._note(), name="main-loop")
        try:
            yield
        finally:
            noting.cancel()

    async def _note(self) -> None:
        while True:
            self._ran_at = self.clock()
            await asyncio.sleep(BEAT_SECONDS)

    def on_loop(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """Return a coroutine function for another loop, which runs ``function`` on this one.

        It raises Unavailable if this loop is blocked.
        """

        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return await function(*args, **kwargs)

        async def called(*args: P.args, **kwargs: P.kwargs) -> T:
            if (seconds := self.blocked()) > BLOCKED_AFTER:
                raise Unavailable("process", f"its event loop has been blocked for {seconds:.0f} s")
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(run(*args, **kwargs), self.loop))

        return called
