"""Engines for each kind of database: driver, pool and session settings."""

import os
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec
from attrs import field, frozen
from sqlalchemy import Connection, ExceptionContext, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ...domain.errors import InvalidInput, NotConfigured
from ...domain.text import shown
from ..wire.fields import plain_value
from .errors import RECONNECT, driver_error, reaction_to, read_only

ALLOWED_URLS = "postgresql://user:password@host:port/database, sqlite:///relative.db or sqlite:////absolute.db"
CONNECT_SECONDS = 10
STATEMENT_SECONDS = 60
LOCK_SECONDS = 10
"""The lock timeout: how long a commit waits for a bucket that another transaction holds."""
IDLE_SECONDS = 15
"""After this time PostgreSQL ends an idle transaction and releases its locks.

No transaction of ours waits for anything but the database, so that a living process is far from it.
"""
POOL_SECONDS = 30
RENEW_SECONDS = 2.0
"""The age from which a connection to a server that has become read-only is replaced: the primary may be another one."""
ISOLATION = "read committed"
"""The isolation of all transactions: locks and conditions in the statements decide races, not the server's default."""
_SSL_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_FILES = "sslrootcert, sslcert and sslkey that can be read"
_CONNECTED_AT = "orderflow_connected_at"
_BOUND = "SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)"
READING = "orderflow_reading"
"""The execution option of connections that are for reading, outside any transaction."""


def to_json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=plain_value).decode()


@frozen
class PostgresAddress:
    """The URL of a PostgreSQL database. ``pooled``: it is behind a pooler in transaction mode.

    Such a pooler supports neither session settings nor prepared statements. So each transaction sets its timeouts
    and its isolation itself, and statements have no name.
    """

    url: str = field(repr=False)
    pooled: bool = False

    @property
    def bounds(self) -> Mapping[str, str]:
        """The lock timeout and the idle timeout of transactions; 0 disables one."""
        ours = {
            "lock_timeout": f"{LOCK_SECONDS}s",
            "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
        }
        return {name: self._query.get(name, [value])[-1] for name, value in ours.items()}

    async def connect(self, name: str = "orderflow") -> Any:
        """Connect with ``name`` as application_name. Raises InvalidInput, NotConfigured, and asyncpg's errors.

        If the URL has several hosts, each is tried in turn, also after one that is starting up or does not answer.
        """
        asyncpg = _asyncpg()
        failure: Exception | None = None
        for url in self._urls:
            try:
                return await self._connect(asyncpg, url, name)
            except (OSError, asyncpg.PostgresError, asyncpg.InternalClientError) as error:
                # Of a server that is down and one that is the standby, the first is the reason.
                if failure is None or isinstance(failure, asyncpg.exceptions.TargetServerAttributeNotMatched):
                    failure = error
        raise failure or ConnectionError("no host to connect to")

    async def _connect(self, asyncpg: Any, url: str, name: str) -> Any:
        # asyncpg parses the URL, so all of libpq's forms and parameters (sslmode, ...) work.
        try:
            return await asyncpg.connect(
                url,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                statement_cache_size=0 if self.pooled else 100,
                server_settings=self._settings(name),
            )
        except (asyncpg.exceptions.ClientConfigurationError, UnicodeError) as error:  # the latter for its host
            raise InvalidInput("database url", str(error), ALLOWED_URLS) from error
        except FileNotFoundError as error:
            # The server's socket may be meant as well: Python names neither.
            if not (missing := self._missing_certificates()):
                raise
            raise InvalidInput("database url", f"a file that it names is not there: {missing}", _FILES) from error
        except asyncpg.exceptions.ProtocolViolationError as error:
            if self.pooled or "startup parameter" not in str(error):
                raise
            raise NotConfigured(
                f"PostgreSQL is behind a pooler: {error}", "set ORDERFLOW_DATABASE_POOLER=transaction"
            ) from error

    def _missing_certificates(self) -> str:
        """Return the files of certificates and keys that the URL or libpq's variables name and that do not exist."""
        named = {name: self._query.get(name, [os.environ.get(f"PG{name.upper()}", "")])[-1] for name in _SSL_FILES}
        return ", ".join(f"{name} {shown(path)}" for name, path in named.items() if path and not Path(path).exists())

    @property
    def _query(self) -> Mapping[str, list[str]]:
        return parse_qs(urlsplit(self.url).query)

    @property
    def _url(self) -> str:
        """The URL for asyncpg, which would send unknown parameters to the server."""
        if not self.pooled:
            return self.url
        parts = urlsplit(self.url)
        kept = [each for each in parts.query.split("&") if each.partition("=")[0] not in self.bounds]
        return urlunsplit(parts._replace(query="&".join(kept)))

    @property
    def _urls(self) -> Sequence[str]:
        """The URL for each of its hosts; one URL if the choice needs all hosts at once."""
        parts = urlsplit(self._url)
        login, at, hosts = parts.netloc.rpartition("@")
        if "," not in hosts or self._query.get("target_session_attrs") == ["prefer-standby"]:
            return [self._url]
        return [urlunsplit(parts._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]

    def _settings(self, name: str) -> Mapping[str, str]:
        # jit pays off only for statements that take seconds.
        session = {**self.bounds, "jit": "off", "default_transaction_isolation": ISOLATION}
        settings = {"application_name": name, **({} if self.pooled else session)}
        chosen = {setting: value for setting, value in settings.items() if setting not in self._query}
        return {**chosen, "client_encoding": "utf-8"}


@cache
def _asyncpg() -> Any:
    """Import asyncpg, with a workaround for 0.32.

    A connection that is closed during its TLS handshake leaves an exception that is never retrieved, which asyncio logs
    as an error. Here it is retrieved; a waiting caller still gets it.
    """
    import asyncpg
    from asyncpg import connect_utils

    if not hasattr(connect_utils, "TLSUpgradeProto"):  # another version
        return asyncpg

    class Retrieved(connect_utils.TLSUpgradeProto):  # type: ignore[misc]
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            if not self.on_data.cancelled():
                self.on_data.exception()

    connect_utils.TLSUpgradeProto = Retrieved
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
        json_serializer=to_json,
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,  # in error messages
        isolation_level=ISOLATION.upper(),
    )
    event.listen(engine.sync_engine, "connect", _note_age)
    event.listen(engine.sync_engine, "checkout", _refuse_unusable)
    event.listen(engine.sync_engine, "handle_error", _disconnected)
    if address.pooled:
        event.listen(engine.sync_engine, "begin", partial(_bound, tuple(address.bounds.values())))
    return engine


def _bound(bounds: tuple[str, ...], connection: Connection) -> None:
    """Set the timeouts of a transaction behind a pooler, which has no session settings."""
    if not connection.get_execution_options().get(READING):
        connection.exec_driver_sql(_BOUND, bounds)


def _note_age(dbapi_connection: Any, record: Any) -> None:
    record.info[_CONNECTED_AT] = monotonic()


def _refuse_unusable(dbapi_connection: Any, record: Any, proxy: object) -> None:
    """Refuse a closed connection, and an old one to a read-only server, so that the pool opens new ones.

    A new connection to a read-only server is used, because reading is still possible.
    """
    driver = dbapi_connection.driver_connection
    if driver.is_closed() or (read_only(driver) and monotonic() - record.info[_CONNECTED_AT] > RENEW_SECONDS):
        raise InvalidatePoolError()


def _disconnected(context: ExceptionContext) -> None:
    """Have SQLAlchemy replace the connection, and after more than a time-out also the pool's others."""
    error = context.original_exception
    if reaction_to(error) is RECONNECT:
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = not isinstance(driver_error(error), TimeoutError)
