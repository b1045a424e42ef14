"""How each kind of database is reached: its driver, its pool, and what every connection is told first."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ...domain.errors import InvalidInput, NotConfigured

ALLOWED_URLS = "postgresql://user:password@host:port/database, sqlite:///relative.db or sqlite:////absolute.db"
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 60
LOCK_SECONDS = 10
"""How long a statement waits for somebody else's transaction: a commit for a bucket that another one holds."""
IDLE_SECONDS = 15
"""After this time PostgreSQL ends a transaction whose process went silent, and frees what it locked.

No transaction of ours waits for anything but the database, so that a living process is far from it.
"""
POOL_SECONDS = 30
READING = "orderflow_reading"
"""The execution option of connections that are for reading, outside any transaction."""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def postgresql_engine(url: str, pool_size: int) -> AsyncEngine:
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
        try:
            return await asyncpg.connect(
                url, timeout=CONNECT_SECONDS, command_timeout=STATEMENT_SECONDS, server_settings=settings
            )
        except asyncpg.exceptions.ClientConfigurationError as error:
            raise InvalidInput("database url", str(error), ALLOWED_URLS) from error
        except FileNotFoundError as error:
            problem = "a file of certificates that is named is not there"
            raise InvalidInput("database url", problem, "sslrootcert, sslcert and sslkey that can be read") from error

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        json_serializer=_json,
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,  # in what an error says
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(dbapi_connection: Any, record: object, proxy: object) -> None:
    """A connection whose server went away is not handed out: the pool makes new ones."""
    if dbapi_connection.driver_connection.is_closed():
        raise InvalidatePoolError()


def sqlite_engine(url: str, pool_size: int) -> AsyncEngine:
    try:
        engine = create_async_engine(
            url.replace("sqlite:", "sqlite+aiosqlite:", 1),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            connect_args={"timeout": LOCK_SECONDS},
            json_serializer=_json,
            json_deserializer=msgspec.json.decode,
            hide_parameters=True,
        )
    except ArgumentError as error:
        raise InvalidInput("database url", str(error), ALLOWED_URLS) from error
    _listen(engine.sync_engine)
    return engine


def sqlite_writer(url: str) -> Engine:
    """One connection for a thread that runs whole transactions: a hop there and back for each, not for each call."""
    engine = create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": LOCK_SECONDS},
        json_serializer=_json,
        hide_parameters=True,
    )
    _listen(engine)
    return engine


def _listen(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(dbapi_connection: Any, record: object) -> None:
    cursor = dbapi_connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={LOCK_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """A transaction takes the write lock at once, so that it never has to give up half way."""
    if not connection.get_execution_options().get(READING):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
