"""An event loop on a thread of its own, with something open on it for synchronous callers."""

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from contextvars import copy_context
from functools import cache, partial
from typing import Any, Generic, ParamSpec, TypeVar
from weakref import WeakSet

import anyio
from anyio.from_thread import BlockingPortal
from attrs import define, field

logger = logging.getLogger("orderflow")

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")

CLOSED = "this OrderFlow is closed; use it inside its `with` block, or before close()"
FORKED = (
    "this OrderFlow was opened by process {pid} before it forked, and its threads and connections stayed there; "
    "open one in each process, after the fork"
)
IN_A_LOOP = (
    "a synchronous OrderFlow was called inside a running event loop, which it would block; "
    "await an OrderFlow.open() there"
)
IN_A_HANDLER = "a handler cannot close the OrderFlow that called it: closing waits for the handler"
CANCELLED_WITHIN = 2.0
"""Seconds in which what was cancelled has to end. Then it is cancelled again, TRIES times in all."""
TRIES = 3

_open: "WeakSet[FlowThread[Any]]" = WeakSet()
_called_by = threading.local()
"""``loop`` is the event loop that awaits a function on this thread."""


@define(eq=False)
class FlowThread(Generic[T]):
    """A thread with an event loop of its own, on which ``opening`` opens ``opened``. Any thread may call.

    It belongs to the process that opened it. A process that ends without closing it closes it first.
    """

    opening: Callable[[], AbstractAsyncContextManager[T]]
    seconds: Callable[[T], float]
    _pid: int = field(factory=os.getpid, init=False)
    _portal: BlockingPortal = field(init=False)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _task: "asyncio.Task[Any] | None" = field(default=None, init=False)
    _thread: threading.Thread = field(init=False)
    _failure: BaseException | None = field(default=None, init=False)
    _closing: threading.Lock = field(factory=threading.Lock, init=False)
    _opened: "Future[T]" = field(factory=Future, init=False)

    def start(self) -> None:
        """Open it. Raises what ``opening`` raises, and RuntimeError inside a running event loop."""
        _check_no_loop()
        _close_at_exit()
        self._thread = threading.Thread(target=self._run, name="orderflow", daemon=True)
        self._thread.start()
        self._opened.result()
        _open.add(self)

    @property
    def opened(self) -> T:
        """The result of ``opening``. Raises RuntimeError in a forked process, and after it was closed."""
        self._check_process()
        if not self._thread.is_alive():
            raise RuntimeError(CLOSED)
        return self._opened.result()

    def call(self, function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Await ``function`` on the event loop, with the caller's context variables, and return its result.

        Raises its error. Raises RuntimeError in a forked process, inside a running event loop, if it is closed, and if
        it is closed meanwhile and the call does not end in time.
        """
        self._check_process()
        _check_no_loop()
        try:
            call = self._portal.start_task_soon(partial(function, *args, **kwargs))
        except RuntimeError as error:  # anyio: the portal, or its event loop, has ended
            raise RuntimeError(CLOSED) from error
        try:
            return call.result()
        except CancelledError as error:
            raise RuntimeError(f"{CLOSED}; the call was cut off, and its outcome is unknown") from error

    def entered(self, opening: Callable[[], AbstractAsyncContextManager[R]]) -> AbstractContextManager[R]:
        """Return a context manager that enters and leaves what ``opening`` returns, both in one task of the event loop.

        Raises what ``call`` raises.
        """
        self._check_process()
        _check_no_loop()
        if not self._thread.is_alive():
            raise RuntimeError(CLOSED)
        return self._portal.wrap_async_context_manager(opening())

    def close(self, timeout: float | None = None) -> None:
        """Close it, after the calls in progress. Does nothing if it is closed already, and in a forked process.

        After ``timeout`` seconds, by default those of ``seconds``, what still runs is cancelled. Raises the error that
        closing raised, TimeoutError if something does not even end then, and RuntimeError in a handler.
        """
        if os.getpid() != self._pid:
            return
        _check_no_loop()
        if getattr(_called_by, "loop", None) is self._loop:
            raise RuntimeError(IN_A_HANDLER)
        with self._closing:
            _open.discard(self)
            if self._thread.is_alive():
                self._stop(self.seconds(self._opened.result()) if timeout is None else timeout)
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _stop(self, timeout: float) -> None:
        self._soon(lambda: self._loop.create_task(self._portal.stop()))
        self._thread.join(timeout)
        for _ in range(TRIES):
            if not self._thread.is_alive():
                return
            self._soon(lambda: self._task is None or self._task.cancel())
            self._thread.join(CANCELLED_WITHIN)
        if self._thread.is_alive():
            raise TimeoutError(f"the OrderFlow did not close within {timeout:g} seconds, and could not be cancelled")

    def _soon(self, function: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the event loop has ended meanwhile
            self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        try:
            anyio.run(self._serve)
        except asyncio.CancelledError:
            pass  # by _stop
        except BaseException as error:  # noqa: BLE001 (start or close raises it)
            if self._opened.done():
                self._failure = error
            else:
                self._opened.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        async with self.opening() as opened, BlockingPortal() as self._portal:
            self._opened.set_result(opened)
            await self._portal.sleep_until_stopped()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RuntimeError(FORKED.format(pid=self._pid))


async def on_a_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call ``function`` on a thread of its own. If it is cancelled, the thread is abandoned; it holds up no exit."""
    loop, outcome = asyncio.get_running_loop(), Future[R]()
    context = copy_context()

    def run() -> None:
        _called_by.loop = loop
        try:
            outcome.set_result(context.run(partial(function, *args, **kwargs)))
        except BaseException as error:  # noqa: BLE001 (the caller gets it)
            outcome.set_exception(error)

    threading.Thread(target=run, name="orderflow-handler", daemon=True).start()
    return await asyncio.shield(asyncio.wrap_future(outcome, loop=loop))


def _check_no_loop() -> None:
    """Raise RuntimeError inside a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(IN_A_LOOP)


@cache
def _close_at_exit() -> None:
    """Have this process close what is open when it ends, as long as it still can.

    Functions of ``atexit`` are called too late: ``concurrent.futures`` accepts no work any more.
    """
    register: Callable[[Callable[[], None]], object] = getattr(threading, "_register_atexit", atexit.register)
    register(_close_all)


def _close_all() -> None:
    for thread in [*_open]:
        try:
            thread.close()
        except Exception:
            logger.exception("a flow did not close when its process ended")
