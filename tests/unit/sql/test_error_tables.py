"""The tables of adapters/sql/errors.py cover every error that the drivers know, and the page shows them as they are."""

import asyncio
import re
import socket
import sqlite3
import ssl
from pathlib import Path

import asyncpg
import pytest
from orderflow.adapters.sql.errors import (
    FAULT,
    RECONNECT,
    REFUSE,
    RETRY,
    SQLITE_CODES,
    SQLSTATES,
    Reaction,
    TransactionConflict,
    reaction_to,
    sqlstate,
    unavailable,
)
from orderflow.domain.errors import OrderNotFound, StorageUnavailable
from sqlalchemy.exc import DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

PAGE = Path(__file__).parents[3] / "docs" / "database-errors.md"
OF_SERVERS = [
    kind
    for kind in vars(asyncpg.exceptions).values()
    if isinstance(kind, type) and issubclass(kind, asyncpg.PostgresError) and getattr(kind, "sqlstate", None)
]
OF_THE_DRIVER = {
    asyncpg.InterfaceError: RECONNECT,
    asyncpg.InternalClientError: RECONNECT,
    asyncpg.exceptions.ProtocolError: RECONNECT,
    asyncpg.exceptions.TargetServerAttributeNotMatched: RECONNECT,
    asyncpg.exceptions.ClientConfigurationError: FAULT,
    asyncpg.exceptions.UnsupportedClientFeatureError: FAULT,
    asyncpg.exceptions.UnsupportedServerFeatureError: FAULT,
}


def test_every_error_of_postgresql_has_its_class_in_the_table() -> None:
    codes = {kind.__name__: str(kind.sqlstate) for kind in OF_SERVERS}

    assert codes
    assert {name for name, code in codes.items() if not {code, code[:2]} & SQLSTATES.keys()} == set()


@pytest.mark.parametrize(("kind", "reaction"), OF_THE_DRIVER.items(), ids=lambda it: getattr(it, "__name__", ""))
def test_errors_of_asyncpg_are_known_by_class_so_subclasses_are_known_too(
    kind: type[Exception], reaction: Reaction
) -> None:
    class Later(kind):  # type: ignore[misc,valid-type]
        """A subclass that a later version of the driver may add."""

    assert reaction_to(kind("message")) is reaction
    assert reaction_to(Later("message")) is reaction


@pytest.mark.parametrize(
    ("error", "reaction"),
    [
        (ConnectionResetError("reset"), RECONNECT),
        (BrokenPipeError("pipe"), RECONNECT),
        (TimeoutError(), RECONNECT),
        (OSError(101, "unreachable"), RECONNECT),
        (socket.gaierror(-2, "unknown"), RECONNECT),
        (ssl.SSLError("handshake"), RECONNECT),
        (ssl.SSLCertVerificationError("expired"), REFUSE),
        (asyncio.IncompleteReadError(b"", 1), RECONNECT),
        (NoFreeConnection("busy"), REFUSE),
        (PendingRollbackError("lost earlier"), RECONNECT),
        (sqlite3.ProgrammingError("Cannot operate on a closed database."), RECONNECT),
        (ValueError("wrong"), FAULT),
        (asyncpg.DataError("a value does not fit its column"), FAULT),
        (MemoryError(), FAULT),
        (OrderNotFound("o1"), FAULT),
        (asyncpg.exceptions.InvalidCachedStatementError("changed"), RECONNECT),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, Exception) else str(it),
)
def test_errors_of_python_and_sqlalchemy_are_known_by_class(error: Exception, reaction: Reaction) -> None:
    assert reaction_to(error) is reaction


@pytest.mark.parametrize(
    ("code", "reaction"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, RECONNECT),
        (sqlite3.SQLITE_BUSY_TIMEOUT, REFUSE),
        (sqlite3.SQLITE_READONLY_DIRECTORY, REFUSE),
        (sqlite3.SQLITE_READONLY_DBMOVED, RECONNECT),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, FAULT),
        (sqlite3.SQLITE_ERROR, FAULT),
        (sqlite3.SQLITE_TOOBIG, FAULT),
    ],
)
def test_an_extended_code_of_sqlite_counts_as_its_primary_one_unless_it_is_listed(
    code: int, reaction: Reaction
) -> None:
    error = sqlite3.OperationalError("message")
    error.sqlite_errorcode = code

    assert reaction_to(error) is reaction


def test_an_error_that_sqlalchemy_wrapped_is_answered_as_the_drivers_own() -> None:
    class Asyncpgs(Exception):
        sqlstate = "40P01"

    wrapped = OperationalError("SELECT 1", None, Asyncpgs("deadlock detected"))

    assert (sqlstate(wrapped), reaction_to(wrapped)) == ("40P01", RETRY)
    assert isinstance(unavailable(wrapped, "postgresql"), TransactionConflict)
    assert isinstance(unavailable(TimeoutError(), "postgresql"), StorageUnavailable)
    assert unavailable(DBAPIError("SELECT 1", None, ValueError()), "postgresql") is None


def test_the_page_shows_the_tables() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", PAGE.read_text(), re.MULTILINE)
    of_sqlite = {getattr(sqlite3, name): reaction for name, reaction in rows if name.startswith("SQLITE_")}

    assert {name: reaction for name, reaction in rows if not name.startswith("SQLITE_")} == SQLSTATES
    assert of_sqlite == SQLITE_CODES
