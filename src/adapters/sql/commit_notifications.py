"""LISTEN/NOTIFY of commits between the processes on one PostgreSQL database.

Notifications are a hint: if one is lost, the next poll finds the events.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

from attrs import define, field

from ...application.backoff import Backoff
from ...domain.errors import OrderFlowError, StorageUnavailable
from .database import POSTGRESQL
from .errors import read_only, sqlstate, translated

CHANNEL = "orderflow_commits"
INTERVAL_SECONDS = 0.005
"""Commits within this time share one NOTIFY: a NOTIFY in each commit would serialize them."""
ANSWER_SECONDS = 5.0
SILENCE_SECONDS = 30.0
"""After this time without a notification a listener checks its connection."""

logger = logging.getLogger("orderflow.commit_notifier")

Connect = Callable[[], Awaitable[Any]]
"""Opens an asyncpg connection."""


@define(eq=False)
class CommitNotifier:
    """Notifies other processes of commits, on a connection of its own.

    ``who`` identifies this process in the payload; it is alphanumeric.
    """

    connect: Connect
    who: str
    backoff: Backoff = field(factory=Backoff)
    _pending: bool = field(default=False, init=False)
    _paused_until: float = field(default=0.0, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _connection: Any = field(default=None, init=False)

    def notify(self) -> None:
        """Notify soon, at most once in INTERVAL_SECONDS. Does not wait.

        A notification that fails is not repeated, and none is sent during the back-off after it.
        """
        if monotonic() < self._paused_until:
            return
        self._pending = True
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="commit notifier")

    async def close(self) -> None:
        """Send a pending notification and disconnect."""
        if self._task is not None:
            await self._task
        self._disconnect()

    async def _run(self) -> None:
        while self._pending:
            self._pending = False
            try:
                with _any_error_as_unavailable():
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await self._notify()
            except OrderFlowError as error:
                self._disconnect()
                self._pending, seconds = False, self.backoff.pause()
                self._paused_until = monotonic() + seconds
                logger.info(
                    "other processes are not notified of commits: %s",
                    error,
                    extra={"error": error.code, "seconds": seconds},
                )
                return
            self.backoff.reset()
            await asyncio.sleep(INTERVAL_SECONDS)

    async def _notify(self) -> None:
        if self._connection is not None and (self._connection.is_closed() or read_only(self._connection)):
            self._disconnect()
        if self._connection is None:
            self._connection = await self.connect()
        await self._connection.execute(f"NOTIFY {CHANNEL}, '{self.who}'")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


@define(eq=False)
class CommitListener:
    """Calls ``on_commit`` after commits of other processes, and when notifications may have been missed.

    ``connect`` must connect to PostgreSQL itself: a pooler does not pass notifications on. A lost connection is
    reopened with back-off.
    """

    connect: Connect
    who: str
    on_commit: Callable[[], None]
    backoff: Backoff = field(factory=Backoff)
    listening: bool = field(default=False, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start listening, if not yet started."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._listen_on(), name="commit listener")

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})  # awaiting it would confuse its cancellation with the caller's
            self._task = None

    async def _listen_on(self) -> None:
        while True:
            try:
                with _any_error_as_unavailable():
                    await self._listen()
            except OrderFlowError as error:
                seconds = self.backoff.pause()
                logger.warning(
                    "commits of other processes are found by polling: %s",
                    error,
                    extra={"error": error.code, "seconds": seconds},
                )
                await asyncio.sleep(seconds)

    async def _listen(self) -> None:
        connection = await self.connect()
        gone = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: gone.set())
            await connection.add_listener(CHANNEL, self._on_notification)
            self.listening = True
            self.backoff.reset()
            self.on_commit()
            logger.info("receiving commit notifications")
            while not gone.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(SILENCE_SECONDS):
                        await gone.wait()
                    break
                if await connection.fetchval("SHOW transaction_read_only", timeout=ANSWER_SECONDS) == "on":
                    raise StorageUnavailable(POSTGRESQL, "the server that it listens on is read-only")
        finally:
            self.listening = False
            connection.terminate()
        raise StorageUnavailable(POSTGRESQL, "the connection that listens was closed")

    def _on_notification(self, connection: Any, pid: int, channel: str, who: str) -> None:
        if who != self.who:
            self.on_commit()


@contextmanager
def _any_error_as_unavailable() -> Iterator[None]:
    """Raise StorageUnavailable also for statements that PostgreSQL refuses."""
    try:
        with translated(POSTGRESQL):
            yield
    except OrderFlowError:
        raise
    except Exception as error:
        if not sqlstate(error):
            raise
        raise StorageUnavailable(POSTGRESQL, str(error)) from error
