"""News of commits across the processes of one PostgreSQL: a bell that is rung after them, and who hears it.

Nobody rests on it. A ring that is lost, or not heard, is made up for by the next look for news.
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
from .errors import sqlstate, translated

CHANNEL = "orderflow_commits"
APART_SECONDS = 0.005
"""Of all commits within this time the others are told once: a NOTIFY in each would hold them all up."""
ANSWER_SECONDS = 5.0
SILENCE_SECONDS = 30.0
"""After so long without a word a listener asks whether its connection is still there."""

logger = logging.getLogger("orderflow.commit_notifier")

Connect = Callable[[], Awaitable[Any]]
"""Opens a connection of asyncpg's."""


@define(eq=False)
class CommitNotifier:
    """Rings for what this process committed, in transactions of its own, on a connection of its own.

    ``who`` is how this process knows its own rings: letters and digits.
    """

    connect: Connect
    who: str
    backoff: Backoff = field(factory=Backoff)
    _asked: bool = field(default=False, init=False)
    _silent_until: float = field(default=0.0, init=False)
    _ringing: asyncio.Task[None] | None = field(default=None, init=False)
    _connection: Any = field(default=None, init=False)

    def ring(self) -> None:
        """Soon, at most once in APART_SECONDS; whoever calls does not wait.

        A ring that fails is not repeated, and for a while after it none is tried.
        """
        if monotonic() < self._silent_until:
            return
        self._asked = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.get_running_loop().create_task(self._ring(), name="bell")

    async def close(self) -> None:
        """Ring for the last commits, and hang up."""
        if self._ringing is not None:
            await self._ringing
        self._hang_up()

    async def _ring(self) -> None:
        while self._asked:
            self._asked = False
            try:
                with _away():
                    async with asyncio.timeout(ANSWER_SECONDS):
                        await self._tell()
            except OrderFlowError as error:
                self._hang_up()
                self._asked, seconds = False, self.backoff.pause()
                self._silent_until = monotonic() + seconds
                logger.info("nobody is told of commits: %s", error, extra={"error": error.code, "seconds": seconds})
                return
            self.backoff.reset()
            await asyncio.sleep(APART_SECONDS)

    async def _tell(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self.connect()
        await self._connection.execute(f"NOTIFY {CHANNEL}, '{self.who}'")

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


@define(eq=False)
class CommitListener:
    """Calls ``heard`` when another process rings, and when rings may have been missed.

    ``connect`` must lead to PostgreSQL itself: behind a pooler nothing is heard. A connection that breaks is opened
    again, ever more slowly.
    """

    connect: Connect
    who: str
    heard: Callable[[], None]
    backoff: Backoff = field(factory=Backoff)
    listening: bool = field(default=False, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    def start(self) -> None:
        """Listen from now on; once it does so already, nothing changes."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._listen_on(), name="bell listener")

    async def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _listen_on(self) -> None:
        while True:
            try:
                with _away():
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
            await connection.add_listener(CHANNEL, self._rung)
            self.listening = True
            self.backoff.reset()
            self.heard()
            logger.info("commits of other processes are heard")
            while not gone.is_set():
                try:
                    await asyncio.wait_for(gone.wait(), SILENCE_SECONDS)
                except TimeoutError:
                    await connection.fetchval("SELECT 1", timeout=ANSWER_SECONDS)
        finally:
            self.listening = False
            connection.terminate()
        raise StorageUnavailable(POSTGRESQL, "the connection that listens was closed")

    def _rung(self, connection: Any, pid: int, channel: str, who: str) -> None:
        if who != self.who:
            self.heard()


@contextmanager
def _away() -> Iterator[None]:
    """Inside, whatever PostgreSQL refuses is StorageUnavailable, too: nobody waits for a bell."""
    try:
        with translated(POSTGRESQL):
            yield
    except OrderFlowError:
        raise
    except Exception as error:
        if not sqlstate(error):
            raise
        raise StorageUnavailable(POSTGRESQL, str(error)) from error
