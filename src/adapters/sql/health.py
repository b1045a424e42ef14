"""Facts about the database, and the reason if it is unavailable."""

import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime
from time import monotonic
from typing import Any

from attrs import frozen
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.clock import utc_now
from ...application.health.facts import ClockOffset, ConnectionFailure, DatabaseFacts, FailureReason
from ...domain.errors import NotConfigured, StorageUnavailable
from . import schema
from .database import POSTGRESQL, SQLITE, Database
from .errors import not_writable, sqlstate

POSTGRESQL_SETTINGS = (
    "default_transaction_isolation",
    "default_transaction_read_only",
    "fsync",
    "full_page_writes",
    "idle_in_transaction_session_timeout",
    "in_hot_standby",
    "lock_timeout",
    "reserved_connections",
    "server_encoding",
    "server_version_num",
    "statement_timeout",
    "superuser_reserved_connections",
    "synchronous_commit",
    "synchronous_standby_names",
)
"""Settings as our connections see them, whether set by the server, database, role or URL."""
SQLITE_SETTINGS = ("busy_timeout", "journal_mode", "synchronous")
_SIZE = {
    POSTGRESQL: "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
}
_BY_STATE = {
    "25006": FailureReason.READ_ONLY,
    "28": FailureReason.AUTHENTICATION,
    "3D": FailureReason.NO_SUCH_DATABASE,
    "53": FailureReason.BUSY,
    "42501": FailureReason.NOT_ALLOWED,
    "08P01": FailureReason.POOLER,
}


@frozen
class SqlHealth:
    """Reads the facts. ``clock`` is this machine's clock."""

    database: Database
    clock: Callable[[], datetime] = utc_now

    async def facts(self) -> DatabaseFacts | ConnectionFailure:
        try:
            # Behind a pooler the session settings are made in transactions only.
            if self.database.backend == SQLITE:
                await self.database.check_writable()
            async with self.database.writing() if self.database.pooled else self.database.reading() as connection:
                return await self._facts(connection)
        except (StorageUnavailable, NotConfigured) as error:
            return trouble(error)

    async def _facts(self, connection: AsyncConnection) -> DatabaseFacts:
        kind = self.database.backend
        facts: dict[str, Any] = {"kind": kind, "schema": await schema.current_on(connection)}
        facts["migrations"] = tuple(schema.known())
        facts["size"] = await connection.scalar(text(_SIZE[kind]))
        if kind == POSTGRESQL:
            facts |= await _postgresql(connection)
        else:
            facts |= await _sqlite(connection)
        began, before = monotonic(), self.clock()
        there = await connection.scalar(text("SELECT clock_timestamp()" if kind == POSTGRESQL else "SELECT 1"))
        took = monotonic() - began
        offset = (there - before).total_seconds() - took / 2 if kind == POSTGRESQL else 0.0
        return DatabaseFacts(**facts, took=took, clock=ClockOffset(offset, took / 2))


async def _postgresql(connection: AsyncConnection) -> dict[str, Any]:
    query = text("SELECT name, current_setting(name) AS value FROM pg_settings WHERE name = ANY(:names)")
    rows = await connection.execute(query, {"names": list(POSTGRESQL_SETTINGS)})
    used = await connection.execute(
        text(
            "SELECT current_setting('server_version') AS version, current_setting('max_connections')::int AS most, "
            "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used, "
            "(SELECT min(allowed) FROM (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user UNION ALL "
            "SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS it(allowed) "
            "WHERE allowed >= 0) AS allowed"
        )
    )
    server = used.one()
    standbys = await connection.scalars(text("SELECT sync_state FROM pg_stat_replication"))
    return {
        "version": server.version,
        "settings": {row.name: row.value for row in rows},
        "connections": server.used,
        "max_connections": server.most,
        "connection_limit": server.allowed,
        "standbys": tuple(state or "" for state in standbys),
    }


async def _sqlite(connection: AsyncConnection) -> dict[str, Any]:
    settings = {name: str(await connection.scalar(text(f"PRAGMA {name}"))) for name in SQLITE_SETTINGS}
    return {"version": await connection.scalar(text("SELECT sqlite_version()")), "settings": settings}


def trouble(error: BaseException) -> ConnectionFailure:
    """Return the reason why the database is unavailable, from the causes of ``error``."""
    for cause in _causes(error):
        if (found := _reason(cause)) is not None:
            return ConnectionFailure(found, _message(cause))
    return ConnectionFailure(FailureReason.OTHER, _message(error))


def _reason(error: BaseException) -> FailureReason | None:
    if state := sqlstate(error):
        return next((cause for prefix, cause in _BY_STATE.items() if state.startswith(prefix)), None)
    if not_writable(error):
        return FailureReason.READ_ONLY
    if isinstance(error, ssl.SSLError) or (isinstance(error, ConnectionError) and "SSL" in str(error)):
        return FailureReason.TLS
    if isinstance(error, socket.gaierror):
        return FailureReason.NO_SUCH_HOST
    if isinstance(error, ConnectionRefusedError):
        return FailureReason.REFUSED
    if isinstance(error, TimeoutError):
        return FailureReason.TIMEOUT
    if isinstance(error, ConnectionError):
        return FailureReason.DROPPED
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Return the chain of causes, innermost first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
    yield from reversed(chain)


def _message(error: BaseException) -> str:
    text = error.problem if isinstance(error, StorageUnavailable) else str(error)
    return (text or type(error).__name__).splitlines()[0]
