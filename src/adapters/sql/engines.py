"""How each kind of database is reached: its driver, its pool, and what every connection is told first."""

from collections.abc import Mapping
from functools import cache, partial
from importlib.util import find_spec
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec
from attrs import field, frozen
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
_BOUND = "SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)"
READING = "orderflow_reading"
"""The execution option of connections that are for reading, outside any transaction."""


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


@frozen
class PostgresAddress:
    """``pooled``: between here and the server stands a pooler that gives each transaction another connection to it.

    Such a pooler refuses to set anything for a connection, and knows nothing of statements that were prepared on it.
    So each transaction is told its bounds itself, and statements have no name.
    """

    url: str = field(repr=False)
    pooled: bool = False

    @property
    def bounds(self) -> Mapping[str, str]:
        """How long a transaction may wait for a lock, and be silent; 0 is for ever."""
        ours = {
            "lock_timeout": f"{LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        }
        return {name: self._asked.get(name, [value])[-1] for name, value in ours.items()}

    async def connect(self, name: str = "orderflow") -> Any:
        """A connection that PostgreSQL calls ``name``. Raises InvalidInput, NotConfigured, and what asyncpg raises."""
        asyncpg = _asyncpg()
        # asyncpg reads the address itself, so that all of libpq's forms and parameters (sslmode, ...) work.
        try:
            return await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                statement_cache_size=0 if self.pooled else 100,
                server_settings=self._settings(name),
            )
        except asyncpg.exceptions.ClientConfigurationError as error:
            raise InvalidInput("database url", str(error), ALLOWED_URLS) from error
        except FileNotFoundError as error:
            problem = "a file of certificates that is named is not there"
            raise InvalidInput("database url", problem, "sslrootcert, sslcert and sslkey that can be read") from error
        except asyncpg.exceptions.ProtocolViolationError as error:
            if self.pooled or "startup parameter" not in str(error):
                raise
            raise NotConfigured(
                f"a pooler stands before PostgreSQL: {error}", "set ORDERFLOW_DATABASE_POOLER=transaction"
            ) from error

    @property
    def _asked(self) -> Mapping[str, list[str]]:
        return parse_qs(urlsplit(self.url).query)

    @property
    def _url(self) -> str:
        """As asyncpg is given it, which would tell the server all that it does not know itself."""
        if not self.pooled:
            return self.url
        parts = urlsplit(self.url)
        kept = [each for each in parts.query.split("&") if each.partition("=")[0] not in self.bounds]
        return urlunsplit(parts._replace(query="&".join(kept)))

    def _settings(self, name: str) -> Mapping[str, str]:
        jit = {"jit": "off"}  # which pays for statements of seconds only
        told = {"application_name": name, **({} if self.pooled else {**self.bounds, **jit})}
        return {setting: value for setting, value in told.items() if setting not in self._asked}


@cache
def _asyncpg() -> Any:
    """asyncpg, with one thing mended: a connection that is given up in its first moments, as the one that would cancel
    a statement is when the server dies, leaves a failure to nobody (0.32), and asyncio logs that as an error.

    Here it counts as heard of; whoever does wait is told all the same.
    """
    import asyncpg
    from asyncpg import connect_utils

    if not hasattr(connect_utils, "TLSUpgradeProto"):  # another version
        return asyncpg

    class Heard(connect_utils.TLSUpgradeProto):  # type: ignore[misc]
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if not self.on_data.cancelled():
                self.on_data.exception()

    connect_utils.TLSUpgradeProto = Heard
    return asyncpg


def postgresql_engine(address: PostgresAddress, pool_size: int) -> AsyncEngine:
    if find_spec("asyncpg") is None:
        raise NotConfigured("PostgreSQL is reached through asyncpg", "pip install 'orderflow-service[postgres]'")
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={
            "async_creator_fn": address.connect,
            "prepared_statement_cache_size": 0 if address.pooled else 100,
        },
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        json_serializer=_json,
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,  # in what an error says
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    if address.pooled:
        event.listen(engine.sync_engine, "begin", partial(_bound, tuple(address.bounds.values())))
    return engine


def _bound(bounds: tuple[str, ...], connection: Connection) -> None:
    """What a connection that is no other's is told once, behind a pooler each transaction is told."""
    if not connection.get_execution_options().get(READING):
        connection.exec_driver_sql(_BOUND, bounds)


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


def sqlite_on_a_thread(url: str, *, reading: bool = False) -> Engine:
    """One connection for a thread that does whole pieces of work: a hop there and back for each, not for each call."""
    engine = create_engine(
        url,
        pool_size=1,
        max_overflow=0,
        connect_args={"timeout": LOCK_SECONDS},
        json_serializer=_json,
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,
        execution_options={READING: reading},
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
