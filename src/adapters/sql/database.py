"""One database: its pool of connections, reads and transactions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import wraps
from time import perf_counter
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

from attrs import define, field
from sqlalchemy import ColumnElement, Connection, Engine, Executable, Row, func, literal, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn

from ...application.noop import noop
from ...domain.errors import InvalidInput, NotConfigured, StorageUnavailable
from .engines import ALLOWED_URLS, READING, PostgresAddress, postgresql_engine
from .errors import (
    RECONNECT,
    TransactionConflict,
    reaction_to,
    read_only,
    sqlstate,
    translated,
    unanswered,
    unavailable,
)
from .sqlite_engines import SqliteFile, sqlite_engine, sqlite_on_a_thread
from .types import Timestamp, read_time

POSTGRESQL, SQLITE = "postgresql", "sqlite"
ATTEMPTS = 5
"""Attempts of a read or commit that loses against other transactions, of which each time at least one commits."""
P = ParamSpec("P")
T = TypeVar("T")


def repeated(transaction: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Have ``transaction`` repeated at once if it conflicts with another one. Raises its last TransactionConflict."""

    @wraps(transaction)
    async def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(ATTEMPTS - 1):
            with suppress(TransactionConflict):
                return await transaction(*args, **kwargs)
        return await transaction(*args, **kwargs)

    return run


@define(eq=False)
class Database:
    """A database and its connections. A SQLite file has one writer at a time in this process.

    ``buckets`` is known once the storage is open. ``address`` is PostgreSQL's. ``watch`` is called after each
    query that bypasses SQLAlchemy, with its text, its duration in seconds, and True unless it failed.
    """

    engine: AsyncEngine
    backend: str
    buckets: int = 0
    address: PostgresAddress | None = None
    watch: Callable[[str, float, bool], None] = noop
    _writer: Engine | None = None
    _reader: Engine | None = None
    _file: SqliteFile | None = None
    _write_lock: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _writing_thread: ThreadPoolExecutor = field(factory=lambda: ThreadPoolExecutor(1, "orderflow-sqlite"), init=False)
    _reading_thread: ThreadPoolExecutor = field(
        factory=lambda: ThreadPoolExecutor(1, "orderflow-sqlite-read"), init=False
    )

    @classmethod
    def at(cls, url: str, *, pool_size: int, pooled: bool = False) -> "Database":
        """Create it without I/O. ``pooled``: PostgreSQL is behind a pooler in transaction mode, see PostgresAddress.

        Raises InvalidInput for an unsupported URL, NotConfigured if the driver is not installed.
        """
        scheme = url.partition(":")[0]
        if scheme in ("postgresql", "postgres"):
            address = PostgresAddress(url, pooled)
            return cls(postgresql_engine(address, pool_size), POSTGRESQL, address=address)
        if scheme == "sqlite" and not urlsplit(url).netloc and urlsplit(url).path not in ("", "/", "/:memory:"):
            file = SqliteFile.at(url)
            return cls(
                sqlite_engine(file, pool_size),
                SQLITE,
                writer=sqlite_on_a_thread(file),
                reader=sqlite_on_a_thread(file, reading=True),
                file=file,
            )
        raise InvalidInput("database url", f"it begins with {scheme!r}", ALLOWED_URLS)

    @property
    def pooled(self) -> bool:
        """True if each transaction may run on another server connection."""
        return self.address is not None and self.address.pooled

    @property
    def engines(self) -> tuple[Engine, ...]:
        """All engines that execute statements."""
        return (self.engine.sync_engine, *(one for one in (self._writer, self._reader) if one is not None))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for reading; each statement is a transaction of its own.

        Raises StorageUnavailable, also at the end of the block if the server has become read-only meanwhile: then it is
        a former primary, and what was read may be out of date. The block may be repeated then.
        """
        options: dict[str, Any] = {READING: True}
        if self.backend == POSTGRESQL:
            options["isolation_level"] = "AUTOCOMMIT"
        with translated(self.backend):
            async with self.engine.connect() as connection:
                await connection.execution_options(**options)
                if self.backend == SQLITE:
                    yield connection
                    return

                async def discard() -> None:
                    await connection.invalidate()
                    await self.engine.dispose()

                async with up_to_date((await connection.get_raw_connection()).driver_connection, discard):
                    yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction; it commits at the end of the block, and an exception rolls it back.

        OSErrors inside the block are translated, too. Raises StorageUnavailable.
        """
        async with self._write_lock if self.backend == SQLITE else nullcontext():
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

    @repeated
    async def rows(self, statement: Executable, given: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Return the rows of one query, a transaction of its own. Raises StorageUnavailable.

        SQLite needs one hop to its thread; with ``reading`` it would need four.
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

    @repeated
    async def fetch(self, sql: str, *given: Any, primary: bool = False) -> Sequence[Any]:
        """Return the rows of one query on PostgreSQL as asyncpg's records.

        Raises StorageUnavailable. With ``primary``, also on a server that is read-only, which may lack rows.
        """
        with translated(self.backend):
            async with self.driver() as driver:
                began, done = perf_counter(), False
                try:
                    async with up_to_date(driver, self.engine.dispose, primary=primary):
                        rows: Sequence[Any] = await driver.fetch(sql, *given)
                    done = True
                finally:
                    self.watch(sql, perf_counter() - began, done)
                return rows

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Any]:
        """Lend an asyncpg connection of the pool, which takes a third of the time that SQLAlchemy's own takes.

        After an error that requires a new one it is closed, not returned to the pool.
        """
        pooled = await self.engine.raw_connection()
        usable = False
        try:
            yield pooled.driver_connection
            usable = True
        except Exception as error:
            cause = error.__cause__ if isinstance(error, StorageUnavailable) and error.__cause__ else error
            usable = bool(sqlstate(cause)) and reaction_to(cause) is not RECONNECT
            raise
        finally:
            if usable:
                pooled.close()
            else:
                await greenlet_spawn(pooled.invalidate)

    def clock(self) -> ColumnElement[datetime]:
        """Build the expression for the time of the database, which on SQLite is this machine's."""
        if self.backend == POSTGRESQL:
            return func.clock_timestamp(type_=Timestamp())
        return literal(datetime.now(UTC), Timestamp())

    async def now(self) -> datetime:
        """Return the time of the database, which on SQLite is this machine's. Raises StorageUnavailable."""
        if self.backend == SQLITE:
            return datetime.now(UTC)
        [[at]] = await self.fetch("SELECT clock_timestamp()")
        return read_time(at)

    async def check_writable(self) -> None:
        """Begin a transaction that may write, and end it. Raises StorageUnavailable."""
        if self.backend == POSTGRESQL:
            async with self.reading() as connection:
                if await connection.scalar(text("SHOW transaction_read_only")) == "on":
                    raise StorageUnavailable(self.backend, "the server is read-only")
        else:
            await self.run_transaction(noop)

    async def run_transaction(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction on SQLite's writing thread; an exception rolls it back.

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

        async with self._write_lock:
            with translated(self.backend):
                return await asyncio.get_running_loop().run_in_executor(self._writing_thread, run)

    async def close(self) -> None:
        """Close all connections and threads."""
        await self.engine.dispose()
        for engine, thread in ((self._writer, self._writing_thread), (self._reader, self._reading_thread)):
            if engine is not None:
                await asyncio.get_running_loop().run_in_executor(thread, engine.dispose)
            thread.shutdown(wait=False)
        if self._file is not None:
            self._file.closed()

    def known_buckets(self) -> int:
        """Return the number of buckets of the log. Raises NotConfigured before the storage is open."""
        if not self.buckets:
            raise NotConfigured("the storage is not open", "await its open() first")
        return self.buckets


@contextmanager
def committing(backend: str) -> Iterator[None]:
    """Wrap a commit: if its answer is lost, the error says that the outcome is unknown."""
    try:
        yield
    except Exception as error:
        failure = unavailable(error, backend)
        if failure is None or not unanswered(error):
            raise
        problem = f"{failure.problem}; the connection was lost during the commit, so its outcome is unknown"
        raise StorageUnavailable(backend, problem) from error


@asynccontextmanager
async def up_to_date(
    driver: Any, discard: Callable[[], Awaitable[None]], *, primary: bool = False
) -> AsyncIterator[None]:
    """Refuse what was read in the block if the server has become read-only, or with ``primary`` was so before.

    A session may survive a switchover: one that was being opened is not among those that are ended. The server reports
    the change with its next answer. Then ``discard`` is called, and the block may be repeated: TransactionConflict is
    raised. Raises StorageUnavailable if the server was read-only before.
    """
    before = read_only(driver)
    yield
    if read_only(driver) and (primary or not before):
        await discard()
        raise (StorageUnavailable if before else TransactionConflict)(POSTGRESQL, "the server is read-only")
