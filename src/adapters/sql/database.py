"""One database behind a pool of connections: how to reach it, how to read, and how a transaction runs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from attrs import define, field
from sqlalchemy import Connection, event
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ...domain.errors import InvalidInput, NotConfigured, StorageUnavailable
from .failures import translated, unanswered, unavailable

POSTGRESQL, SQLITE = "postgresql", "sqlite"
ALLOWED_URLS = "postgresql://user:password@host:port/database, sqlite:///relative.db or sqlite:////absolute.db"
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 60
LOCK_SECONDS = 10
"""How long a statement waits for somebody else's transaction."""
IDLE_SECONDS = 60
"""After this time PostgreSQL ends a transaction whose process went silent, and frees what it locked."""
POOL_SECONDS = 30
_READING = "orderflow_reading"


@define(eq=False)
class Database:
    """``buckets`` is known once the storage is open. One SQLite file has one writer at a time in this process."""

    engine: AsyncEngine
    backend: str
    buckets: int = 0
    _writer: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    @classmethod
    def at(cls, url: str, *, pool_size: int) -> "Database":
        """No I/O yet. Raises InvalidInput for an address of no kind we know, NotConfigured without its driver."""
        scheme = url.partition(":")[0]
        if scheme in ("postgresql", "postgres"):
            return cls(_postgresql(url, pool_size), POSTGRESQL)
        if scheme == "sqlite" and not urlsplit(url).netloc and urlsplit(url).path not in ("", "/", "/:memory:"):
            return cls(_sqlite(url, pool_size), SQLITE)
        raise InvalidInput("database url", f"it begins with {scheme!r}", ALLOWED_URLS)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement sees what is committed when it starts. Raises StorageUnavailable."""
        options: dict[str, Any] = {_READING: True}
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
        async with self._writer if self.backend == SQLITE else nullcontext():
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

    async def close(self) -> None:
        await self.engine.dispose()

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


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _postgresql(url: str, pool_size: int) -> AsyncEngine:
    try:
        import asyncpg
    except ImportError:
        raise NotConfigured("PostgreSQL is reached through asyncpg", "pip install 'orderflow[postgres]'") from None
    settings = {
        "application_name": "orderflow",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        "jit": "off",  # which pays for statements of seconds only
    }
    asked = parse_qs(urlsplit(url).query)
    settings = {name: value for name, value in settings.items() if name not in asked}

    async def connect() -> Any:
        # asyncpg reads the address itself, so that all of libpq's forms and parameters (sslmode, ...) work.
        return await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS, server_settings=settings
        )

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        json_serializer=_json,
        json_deserializer=msgspec.json.decode,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(dbapi_connection: Any, record: object, proxy: object) -> None:
    """A connection whose server went away is not handed out: the pool makes new ones."""
    if dbapi_connection.driver_connection.is_closed():
        raise InvalidatePoolError()


def _sqlite(url: str, pool_size: int) -> AsyncEngine:
    try:
        engine = create_async_engine(
            url.replace("sqlite:", "sqlite+aiosqlite:", 1),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            connect_args={"timeout": LOCK_SECONDS},
            json_serializer=_json,
            json_deserializer=msgspec.json.decode,
        )
    except ArgumentError as error:
        raise InvalidInput("database url", str(error), ALLOWED_URLS) from error
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(dbapi_connection: Any, record: object) -> None:
    # Without this the driver begins transactions by itself, late and deferred.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={LOCK_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A transaction takes the write lock at once, so that it never has to give up half way."""
    if not connection.get_execution_options().get(_READING):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
