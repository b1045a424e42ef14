"""Graceful shutdown: readiness fails first, work in progress finishes, and a deadline cuts off the rest."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from threading import Thread, Timer
from types import FrameType

from attrs import define, field

logger = logging.getLogger("orderflow.processes")

SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP")
    if hasattr(signal, name)  # no SIGHUP on Windows
)
"""The signals that a process handles itself."""
CUT_OFF = 1
"""The exit code of a process that did not shut down in time."""


@define(eq=False)
class Stopping:
    """The shutdown of one process.

    It has ``begun`` with the first signal: the process is no longer ready. ``stop`` is set ``grace`` seconds later, so
    that load balancers have noticed: then no new work begins, and work in progress finishes. A process that has not
    ``ended`` ``seconds`` after the signal logs the work that it cuts off and exits with CUT_OFF. This deadline applies
    to processes that run ``until_signalled``, not to an embedding application.
    """

    seconds: float = 20.0
    grace: float = 0.0
    exit: Callable[[int], object] = field(default=os._exit, repr=False)
    stop: asyncio.Event = field(factory=asyncio.Event, init=False)
    _has_deadline: bool = field(default=False, init=False)
    _deadline: Timer | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)
    begun_with: float = field(default=0.0, init=False)
    """The grace with which the shutdown has begun."""
    _when_begun: list[Callable[[], object]] = field(factory=list, init=False)
    _in_progress: list[Callable[[], Iterable[str]]] = field(factory=list, init=False)

    def begun(self) -> bool:
        """Return True once the shutdown has begun."""
        return self._begun

    def watch(self, under_way: Callable[[], Iterable[str]]) -> None:
        """Add a source of the names of work in progress, for the log line of a cut-off. Another thread calls it."""
        self._in_progress.append(under_way)

    def when_begun(self, call: Callable[[], object]) -> None:
        """Call ``call`` on the event loop as soon as the shutdown begins, before its grace."""
        self._when_begun.append(call)

    def begin(self, loop: asyncio.AbstractEventLoop, *, grace: float = 0.0) -> None:
        """Begin the shutdown. A signal handler may call it, also while the event loop is blocked."""
        if not self._begun:
            self._begun, self.begun_with = True, grace
            if self._has_deadline:
                reason = f"did not stop within {self.seconds:g} s"
                self._deadline = _later(self.seconds, partial(self.cut_off, reason))
            loop.call_soon_threadsafe(self._stop_after, loop, grace)

    def ended(self) -> None:
        """End the deadline: the event loop has ended, and nothing is left that could be cut off."""
        if self._deadline is not None:
            self._deadline.cancel()

    def cut_off(self, reason: str) -> None:
        """Exit at once. Work in progress ends as by SIGKILL, so that nothing acknowledged is lost."""
        under_way = sorted(name for in_progress in self._in_progress for name in in_progress())
        logger.error("cut off", extra={"reason": reason, "under_way": under_way or ["closing connections"]})
        self.exit(CUT_OFF)

    def _stop_after(self, loop: asyncio.AbstractEventLoop, grace: float) -> None:
        logger.info("stopping", extra={"grace_seconds": grace, "within_seconds": self.seconds})
        for call in self._when_begun:
            call()
        loop.call_later(grace, self.stop.set)


@asynccontextmanager
async def until_signalled(stopping: Stopping, *, with_grace: bool = False) -> AsyncIterator[asyncio.Event]:
    """Yield ``stopping.stop``, which SIGINT sets at once, and SIGTERM after the grace if ``with_grace``.

    SIGHUP does the same as SIGINT if the process has a terminal, which was closed then. A service has none: it logs
    that there is nothing to reload. A process that was started to ignore SIGHUP, by ``nohup``, does.
    A second signal cuts off. The handlers are Python's own, not the event loop's, so that they run while it is blocked.
    """
    loop = asyncio.get_running_loop()
    stopping._has_deadline = True
    has_terminal = _has_terminal()

    def on_signal(number: int, _: FrameType | None) -> None:
        if signal.Signals(number).name == "SIGHUP" and not has_terminal:
            loop.call_soon_threadsafe(
                logger.info,
                "nothing to reload: settings are read at the start, and a certificate when its files change",
            )
        elif stopping.begun():
            _later(0, partial(stopping.cut_off, f"a second signal: {signal.Signals(number).name}"))
        else:
            stopping.begin(loop, grace=stopping.grace if with_grace and number == signal.SIGTERM else 0.0)

    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, on_signal) for number in handled}
    try:
        yield stopping.stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@asynccontextmanager
async def until_requested(stopping: Stopping, request: Callable[[], float]) -> AsyncIterator[asyncio.Event]:
    """Yield ``stopping.stop``, which is set when another process says so.

    ``request`` blocks, returns the grace, and raises EOFError when that process has ended: then there is no grace, or,
    if the shutdown has begun already, the process is cut off.
    """
    loop = asyncio.get_running_loop()
    stopping._has_deadline = True

    def listen() -> None:
        try:
            stopping.begin(loop, grace=request())
            request()
        except (EOFError, OSError):
            if stopping.begun():
                stopping.cut_off("the process that started it has ended")
            else:
                stopping.begin(loop)

    thread = Thread(target=listen, name="supervisor", daemon=True)
    thread.start()
    yield stopping.stop


def _has_terminal() -> bool:
    """Return whether this process belongs to a terminal, whose end SIGHUP is then."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY))
    except OSError:
        return False
    return True


def _later(seconds: float, call: Callable[[], None]) -> Timer:
    """Call ``call`` on a daemon thread, which does not keep the process from ending."""
    timer = Timer(seconds, call)
    timer.daemon = True
    timer.start()
    return timer
