"""One database behind a pool of connections: how it is read, and how a transaction runs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, nullcontext
from time import perf_counter
from typing import Any, TypeVar
from urllib.parse import urlsplit

from attrs import define, field
from sqlalchemy import Connection, Engine, Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ...application.noop import noop
from ...domain.errors import InvalidInput, NotConfigured, StorageUnavailable
from .engines import ALLOWED_URLS, READING, PostgresAddress, postgresql_engine, sqlite_engine, sqlite_on_a_thread
from .errors import sqlstate, translated, unanswered, unavailable

POSTGRESQL, SQLITE = "postgresql", "sqlite"
T = TypeVar("T")


@define(eq=False)
class Database:
    """``buckets`` is known once the storage is open. One SQLite file has one writer at a time in this process.

    ``address`` is where a PostgreSQL is. ``watch`` is told of each statement that goes past SQLAlchemy to be read from:
    its text, its seconds, and whether it was done or failed.
    """

    engine: AsyncEngine
    backend: str
    buckets: int = 0
    address: PostgresAddress | None = None
    watch: Callable[[str, float, bool], None] = noop
    _writer: Engine | None = None
    _reader: Engine | None = None
    _turn: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _writing_thread: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(1, "orderflow-sqlite"), init=False)
    _reading_thread: ThreadPoolExecutor = field(
        factory=lambda: ThreadPoolExecutor(1, "orderflow-sqlite-read"), init=False
    )

    @classmethod
    def at(cls, url: str, *, pool_size: int, pooled: bool = False) -> "Database":
        """No I/O yet. ``pooled``: a pooler stands before PostgreSQL, as PostgresAddress says.

        Raises InvalidInput for an address of no kind we know, NotConfigured without its driver.
        """
        scheme = url.partition(":")[0]
        if scheme in ("postgresql", "postgres"):
            address = PostgresAddress(url, pooled)
            return cls(postgresql_engine(address, pool_size), POSTGRESQL, address=address)
        if scheme == "sqlite" and not urlsplit(url).netloc and urlsplit(url).path not in ("", "/", "/:memory:"):
            return cls(
                sqlite_engine(url, pool_size),
                SQLITE,
                writer=sqlite_on_a_thread(url),
                reader=sqlite_on_a_thread(url, reading=True),
            )
        raise InvalidInput("database url", f"it begins with {scheme!r}", ALLOWED_URLS)

    @property
    def pooled(self) -> bool:
        """Whether a connection may be to another server process in each transaction."""
        return self.address is not None and self.address.pooled

    @property
    def engines(self) -> tuple[Engine, ...]:
        """All that statements go through."""
        return (self.engine.sync_engine, *(one for one in (self._writer, self._reader) if one is not None))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement sees what is committed when it starts. Raises StorageUnavailable."""
        options: dict[str, Any] = {READING: True}
        if self.backend == POSTGRESQL:
            options["isolation_level"] = "AUTOCOMMIT"
        with translated(self.backend):
            async with self.engine.connect() as connection:
                yield await connection.execution_options(**options)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction; commits at its end, and an exception inside rolls it back.

        What goes wrong with files or sockets inside counts as the storage's. Raises StorageUnavailable.
        """
        async with self._turn if self.backend == SQLITE else nullcontext():
            with translated(self.backend):
                async with self.engine.connect() as connection:
                    transaction = await connection.begin()
                    try:
                        yield connection
                    except BaseException:
                        await transaction.rollback()
                        raise
                    with committing(self.backend):
                        await transaction.commit()

    async def rows(self, statement: Executable, given: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """The rows of one statement, which sees what is committed when it starts. Raises StorageUnavailable.

        SQLite's are read on a thread, there and back once; through ``reading`` they would go there four times.
        """
        reader = self._reader
        if reader is None:
            async with self.reading() as connection:
                return (await connection.execute(statement, given)).fetchall()

        def run() -> Sequence[Row[Any]]:
            with reader.connect() as connection:
                return connection.execute(statement, given).fetchall()

        with translated(self.backend):
            return await asyncio.get_running_loop().run_in_executor(self._reading_thread, run)

    async def fetch(self, sql: str, *given: Any) -> Sequence[Any]:
        """The rows of one statement on PostgreSQL, straight from asyncpg: nothing else is made of them.

        Raises StorageUnavailable.
        """
        with translated(self.backend):
            async with self.engine.connect() as connection, asyncpg_of(connection) as driver:
                began, done = perf_counter(), False
                try:
                    rows: Sequence[Any] = await driver.fetch(sql, *given)
                    done = True
                finally:
                    self.watch(sql, perf_counter() - began, done)
                return rows

    async def in_one_go(self, work: Callable[[Connection], T]) -> T:
        """``work`` in a transaction of its own, on SQLite's writing thread; an exception inside rolls it back.

        Raises StorageUnavailable.
        """
        writer = self._writer
        if writer is None:
            raise NotConfigured(f"{self.backend} has no writing thread", "use writing()")

        def run() -> T:
            with writer.connect() as connection, connection.begin() as transaction:
                done = work(connection)
                with committing(self.backend):
                    transaction.commit()
            return done

        async with self._turn:
            with translated(self.backend):
                return await asyncio.get_running_loop().run_in_executor(self._writing_thread, run)

    async def close(self) -> None:
        """Give back all connections, and the thread."""
        await self.engine.dispose()
        for engine, thread in ((self._writer, self._writing_thread), (self._reader, self._reading_thread)):
            if engine is not None:
                await asyncio.get_running_loop().run_in_executor(thread, engine.dispose)
            thread.shutdown(wait=False)

    def known_buckets(self) -> int:
        """How many buckets the log has. Raises NotConfigured before the storage is open."""
        if not self.buckets:
            raise NotConfigured("the storage is not open", "await its open() first")
        return self.buckets


@contextmanager
def committing(backend: str) -> Iterator[None]:
    """Around a commit: when no answer comes, nobody knows whether it happened, and the error says so."""
    try:
        yield
    except Exception as error:
        told = unavailable(error, backend)
        if told is None or not unanswered(error):
            raise
        problem = f"{told.problem}; it broke during the commit, so whether that happened is not known"
        raise StorageUnavailable(backend, problem) from error


@asynccontextmanager
async def asyncpg_of(connection: AsyncConnection) -> AsyncIterator[Any]:
    """The driver's own connection; when what it is doing is not known at the end, nobody else gets it."""
    driver = (await connection.get_raw_connection()).driver_connection
    if driver is None:
        raise RuntimeError("the pool gave a connection without a driver")
    answered = False
    try:
        yield driver
        answered = True
    except Exception as error:
        answered = bool(sqlstate(error))
        raise
    finally:
        if not answered:
            await connection.invalidate()
