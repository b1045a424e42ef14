"""The shutdown of a process: readiness fails, work in progress finishes, and a deadline cuts off the rest."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from threading import Timer
from types import FrameType

from attrs import define, field

logger = logging.getLogger("orderflow.processes")

CUT_OFF = 1
"""The exit code of a process that did not end in order."""


@define(eq=False)
class Stopping:
    """One process's end.

    From the first signal on it has ``begun``: the process is not ready any more. ``stop`` is set ``grace`` seconds
    later, when whoever sends requests has seen that: nothing new is begun then, and what is under way finishes.
    ``seconds`` after the signal the process has ended, or says what it cuts off and exits with CUT_OFF; that is for
    processes that run ``until_signalled``, not for an application around us.
    """

    seconds: float = 20.0
    grace: float = 0.0
    exit: Callable[[int], object] = field(default=os._exit, repr=False)
    stop: asyncio.Event = field(factory=asyncio.Event, init=False)
    _a_process: bool = field(default=False, init=False)
    _begun: bool = field(default=False, init=False)
    _watched: list[Callable[[], Iterable[str]]] = field(factory=list, init=False)

    def begun(self) -> bool:
        return self._begun

    def watch(self, under_way: Callable[[], Iterable[str]]) -> None:
        """Have what ``under_way`` names be told when it is cut off. It is asked from another thread."""
        self._watched.append(under_way)

    def begin(self, loop: asyncio.AbstractEventLoop, *, grace: float = 0.0) -> None:
        """End in order. May be called from a signal handler, also while something keeps the loop from running."""
        if not self._begun:
            self._begun = True
            if self._a_process:
                _later(self.seconds, partial(self.cut_off, f"not ended within {self.seconds:g} s"))
            loop.call_soon_threadsafe(self._let_go, loop, grace)

    def cut_off(self, reason: str) -> None:
        """End at once: whatever is under way ends as it would by SIGKILL, so nothing acknowledged is lost."""
        under_way = sorted(name for watched in self._watched for name in watched())
        logger.error("cut off", extra={"reason": reason, "under_way": under_way or ["closing connections"]})
        self.exit(CUT_OFF)

    def _let_go(self, loop: asyncio.AbstractEventLoop, grace: float) -> None:
        logger.info("stopping", extra={"grace_seconds": grace, "within_seconds": self.seconds})
        loop.call_later(grace, self.stop.set)


@asynccontextmanager
async def until_signalled(stopping: Stopping, *, with_grace: bool = False) -> AsyncIterator[asyncio.Event]:
    """``stopping.stop``, set by SIGTERM, where asked for after the grace, and by SIGINT, which a person sends, at once.

    A second signal cuts off. The handlers are Python's own, not the loop's, so that they run while the loop does not.
    """
    loop = asyncio.get_running_loop()
    stopping._a_process = True

    def asked(number: int, _: FrameType | None) -> None:
        if stopping.begun():
            _later(0, partial(stopping.cut_off, f"a second signal: {signal.Signals(number).name}"))
        else:
            stopping.begin(loop, grace=stopping.grace if with_grace and number == signal.SIGTERM else 0.0)

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping.stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _later(seconds: float, call: Callable[[], None]) -> None:
    """On a thread of its own, which does not keep the process from ending: it ends with it."""
    timer = Timer(seconds, call)
    timer.daemon = True
    timer.start()
