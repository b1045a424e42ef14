"""Several API processes behind one port: the workers of ``orderflow serve --workers N``, and their supervisor."""

import asyncio
import logging
import multiprocessing
import pickle
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from time import monotonic
from typing import Any

from attrs import define, field

from ..adapters.telemetry.metrics.instruments import ended
from ..application.backoff import Backoff, pause
from ..application.redaction import code_of, error_text
from ..domain.errors import NotConfigured, OrderFlowError, Unavailable
from .container import Container
from .settings import Settings
from .shutdown import SIGNALS, Stopping, until_requested
from .worker_process import begin

RECOVERED_SECONDS = 30.0
"""A worker that has run so long is started again at once when it ends."""

logger = logging.getLogger("orderflow.processes")

Api = Callable[[Container, asyncio.Event, socket.socket, Callable[[], None]], Any]
"""Runs the API of a container on a socket until the event is set, and calls back once it answers."""


def check_storage(settings: Settings) -> None:
    """Raise NotConfigured for several workers on a storage that several processes cannot share, or share badly."""
    if settings.http_workers > 1 and not settings.database_url.startswith("postgresql:"):
        kind = "memory://" if settings.database_url == "memory://" else "SQLite"
        reason = (
            "belongs to one process" if kind == "memory://" else "has one writer at a time, so workers would only wait"
        )
        raise NotConfigured(f"{settings.http_workers} workers need PostgreSQL: {kind} {reason}", "use one worker")


def _backoff() -> Backoff:
    return Backoff(first=0.2, longest=30.0)


@define(eq=False)
class WorkerPool:
    """Starts a worker for each of ``listeners``, and starts one that dies again, after a pause that grows.

    Each listener stays open here, so connections that a dead worker had not accepted wait for the next one. The pool
    ends with the error if a worker cannot start at first, or if one says that a setting is missing.
    """

    settings: Settings
    listeners: Sequence[socket.socket]
    stopping: Stopping
    work: Callable[[Settings, socket.socket, Connection], None]
    backoff: Callable[[], Backoff] = _backoff
    on_ready: Callable[[], None] = lambda: None
    _ready: set[int] = field(factory=set, init=False)
    _begun: asyncio.Event = field(factory=asyncio.Event, init=False)
    _error: OrderFlowError | None = field(default=None, init=False)
    """The reason for which the pool ends."""

    async def __call__(self, stop: asyncio.Event) -> None:
        """Run the workers until they have shut down after ``stop``. Raises the error of a worker that cannot start."""
        self.stopping.when_begun(self._begun.set)
        self.stopping.watch(lambda: [f"worker {number}" for number in sorted(self._ready)])
        closing = asyncio.create_task(self._close_after(stop))
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(len(self.listeners)):
                    group.create_task(self._keep_running(number), name=f"worker-{number}")
        finally:
            closing.cancel()
            self._close()
        if self._error is not None:
            raise self._error

    async def ping(self) -> None:
        """Raise Unavailable if no worker answers requests."""
        if not self._ready:
            raise Unavailable("api", "no worker runs")

    async def _close_after(self, stop: asyncio.Event) -> None:
        """Close the listeners when the workers close theirs: nothing is accepted any more."""
        await stop.wait()
        self._close()

    def _close(self) -> None:
        for listener in self.listeners:
            listener.close()

    async def _keep_running(self, number: int) -> None:
        backoff, has_started = self.backoff(), False
        while not self._begun.is_set():
            began = monotonic()
            worker = _Worker(number, self._start)
            try:
                error = await worker.run(self._begun, self.stopping, partial(self._is_ready, number))
            finally:
                self._ready.discard(number)
            if self._begun.is_set():
                return
            if isinstance(error, NotConfigured) or not (has_started or worker.was_ready):
                self._error = error
                self._begun.set()  # the other workers finish what they do
                return
            has_started = True
            if monotonic() - began >= RECOVERED_SECONDS:
                backoff.reset()
            seconds = backoff.pause()
            logger.critical(
                "a worker has died and is started again: %s",
                error_text(error),
                extra={"worker": number, "worker_pid": worker.pid, "error": code_of(error), "seconds": seconds},
            )
            await pause(self._begun, seconds)

    def _is_ready(self, number: int) -> None:
        self._ready.add(number)
        if len(self._ready) == len(self.listeners):
            self.on_ready()

    def _start(self, number: int) -> tuple[BaseProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe()
        arguments = (pickle.dumps((self.work, self.settings)), self.listeners[number], theirs)
        process = context.Process(target=begin, args=arguments, name=f"orderflow-worker-{number}")
        process.start()
        theirs.close()
        return process, mine


@define(eq=False)
class _Worker:
    """One worker process, as its supervisor sees it."""

    number: int
    start: Callable[[int], tuple[BaseProcess, Connection]]
    was_ready: bool = field(default=False, init=False)
    pid: int = field(default=0, init=False)
    _error: OrderFlowError | None = field(default=None, init=False)

    async def run(self, begun: asyncio.Event, stopping: Stopping, ready: Callable[[], None]) -> OrderFlowError:
        """Run the process to its end, and return why it ended. Once ``begun`` is set, it shuts down."""
        process, pipe = self.start(self.number)
        self.pid = process.pid or 0
        loop, ended_ = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(pipe.fileno(), self._receive, pipe, ready)
        loop.add_reader(process.sentinel, ended_.set)
        telling = asyncio.create_task(_tell(begun, pipe, stopping))
        try:
            await ended_.wait()
        except asyncio.CancelledError:  # it still finishes what it does, within its own deadline
            begun.set()
            await ended_.wait()
            raise
        finally:
            telling.cancel()
            loop.remove_reader(process.sentinel)
            loop.remove_reader(pipe.fileno())
            process.join()
            self._receive(pipe, ready)
            pipe.close()
            ended(self.pid)
        return self._error or Unavailable("worker", f"it ended with exit code {process.exitcode}")

    def _receive(self, pipe: Connection, ready: Callable[[], None]) -> None:
        """Take the message of the worker: None if it is ready, or the error for which it ends."""
        try:
            while pipe.poll():
                message = pipe.recv()
                if message is None:
                    self.was_ready = True
                    ready()
                else:
                    self._error = message
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(pipe.fileno())


async def _tell(begun: asyncio.Event, pipe: Connection, stopping: Stopping) -> None:
    await begun.wait()
    try:
        pipe.send(stopping.begun_with)
    except OSError:  # it has ended already
        return


def work(api: Api, settings: Settings, listener: socket.socket, pipe: Connection) -> None:
    """Run the API in this process on ``listener`` until the supervisor says so, or has ended.

    Signals are the supervisor's: systemd and terminals send them to all processes of the group.
    """
    from .cli.run import loop_factory
    from .cli.session import build_container
    from .logging_setup import configure_logs
    from .wiring.lifespan import opened

    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    configure_logs(settings)

    async def serve(container: Container) -> None:
        async with until_requested(container.stopping(), pipe.recv) as stop, opened(container):
            registration = container.process_registration()
            registration.runs("api")
            async with registration.registered(container.storage().processes):
                await api(container, stop, listener, partial(pipe.send, None))

    try:
        container = build_container(settings)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve(container))
        container.stopping().ended()
    except OrderFlowError as error:
        pipe.send(error)
        raise SystemExit(1) from None
    except Exception:
        logger.critical("a worker failed", exc_info=True)
        raise SystemExit(1) from None
