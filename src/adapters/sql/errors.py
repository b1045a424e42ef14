"""The classes of the drivers' errors, and their translation. Messages never contain the database's URL or password.

One table per driver says how each error is answered, by exception class, SQLSTATE or SQLite result code. Everything
that speaks to a database asks this module: commits, reads, consumers, the relay, notifications, health checks.
"""

import sqlite3
import sys
from asyncio import CancelledError
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from ssl import SSLCertVerificationError
from typing import Any

from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException, PendingRollbackError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from ...domain.errors import OrderFlowError, StorageUnavailable
from ..certificates import certificate_problem


class Reaction(StrEnum):
    """The reaction to an error of a database. All but FAULT are raised as StorageUnavailable."""

    RETRY = "retry"
    """The transaction lost against another one. The same one may succeed at once, on the same connection."""
    RECONNECT = "reconnect"
    """The connection is gone, unusable, or leads to a server that accepts no writes. It is replaced by a new one."""
    REFUSE = "refuse"
    """The server refuses for now, and the connection is good. It passes by itself, or when an operator has acted."""
    FAULT = "fault"
    """The statement or its data are wrong. It would fail again."""


RETRY, RECONNECT, REFUSE, FAULT = Reaction

SQLSTATES: Mapping[str, Reaction] = {
    "03": FAULT,  # statement not yet complete
    "08": RECONNECT,  # connection exception
    "09": FAULT,  # triggered action exception
    "0A": FAULT,  # feature not supported
    "0B": FAULT,  # invalid transaction initiation
    "0F": FAULT,  # locator exception
    "0L": FAULT,  # invalid grantor
    "0P": REFUSE,  # invalid role specification
    "0Z": FAULT,  # diagnostics exception
    "10": FAULT,  # XQuery error
    "20": FAULT,  # case not found
    "21": FAULT,  # cardinality violation
    "22": FAULT,  # data exception
    "23": FAULT,  # integrity constraint violation
    "24": FAULT,  # invalid cursor state
    "25": RECONNECT,  # invalid transaction state: read-only, idle for too long
    "26": RECONNECT,  # invalid statement name: the session has changed
    "27": FAULT,  # triggered data change violation
    "28": REFUSE,  # invalid authorization: wrong password, pg_hba.conf
    "2B": FAULT,  # dependent privilege descriptors still exist
    "2D": FAULT,  # invalid transaction termination
    "2F": FAULT,  # SQL routine exception
    "34": FAULT,  # invalid cursor name
    "38": FAULT,  # external routine exception
    "39": FAULT,  # external routine invocation exception
    "3B": FAULT,  # savepoint exception
    "3D": REFUSE,  # no such database
    "3F": REFUSE,  # no such schema
    "40": RETRY,  # transaction rollback: serialization failure, deadlock
    "40002": FAULT,  # transaction integrity constraint violation
    "40003": RECONNECT,  # statement completion unknown
    "42": FAULT,  # syntax error, no such table or column
    "42501": REFUSE,  # insufficient privilege
    "42P05": RECONNECT,  # duplicate prepared statement: the session is another one
    "44": FAULT,  # WITH CHECK OPTION violation
    "53": REFUSE,  # insufficient resources: disk full, too many connections, out of memory
    "54": FAULT,  # program limit exceeded
    "55": REFUSE,  # object not in prerequisite state: lock time-out, database that accepts no connections
    "57": RECONNECT,  # operator intervention: shutdown, crash, starting up, session terminated
    "57014": REFUSE,  # query canceled: statement time-out
    "58": REFUSE,  # system error: input or output
    "72": RETRY,  # snapshot too old
    "F0": REFUSE,  # configuration file error
    "HV": FAULT,  # foreign data wrapper error
    "P0": FAULT,  # PL/pgSQL error
    "XX": REFUSE,  # internal error, corrupted data or index
}
"""The reaction by class of SQLSTATE, its first two characters, or by a whole SQLSTATE, which takes precedence.

https://www.postgresql.org/docs/current/errcodes-appendix.html. A class that is not listed is a fault.
"""

SQLITE_CODES: Mapping[int, Reaction] = {
    sqlite3.SQLITE_PERM: REFUSE,
    sqlite3.SQLITE_ABORT: RETRY,
    sqlite3.SQLITE_BUSY: REFUSE,
    sqlite3.SQLITE_BUSY_SNAPSHOT: RETRY,
    sqlite3.SQLITE_LOCKED: REFUSE,
    sqlite3.SQLITE_NOMEM: REFUSE,
    sqlite3.SQLITE_READONLY: REFUSE,
    sqlite3.SQLITE_READONLY_DBMOVED: RECONNECT,
    sqlite3.SQLITE_INTERRUPT: REFUSE,
    sqlite3.SQLITE_IOERR: RECONNECT,
    sqlite3.SQLITE_CORRUPT: REFUSE,
    sqlite3.SQLITE_FULL: REFUSE,
    sqlite3.SQLITE_CANTOPEN: REFUSE,
    sqlite3.SQLITE_PROTOCOL: REFUSE,
    sqlite3.SQLITE_SCHEMA: RETRY,
    sqlite3.SQLITE_AUTH: REFUSE,
    sqlite3.SQLITE_NOTADB: REFUSE,
}
"""The reaction by SQLite's result code, extended or primary. Others are faults. https://www.sqlite.org/rescode.html"""

_PYTHON: Mapping[type[BaseException], Reaction] = {
    NoFreeConnection: REFUSE,  # all connections of the pool are busy
    PendingRollbackError: RECONNECT,  # the connection was lost earlier in the transaction
    SSLCertVerificationError: REFUSE,
    OSError: RECONNECT,  # also TimeoutError, ConnectionError, ssl.SSLError and socket.gaierror
    EOFError: RECONNECT,  # also asyncio.IncompleteReadError
    sqlite3.Error: RECONNECT,  # without a result code: the connection is closed
}
_UNKNOWN_OUTCOME = ("08", "57P", "40003")
"""SQLSTATEs after which a transaction may have been committed."""


class TransactionConflict(StorageUnavailable):
    """A transaction that may succeed if it is repeated at once.

    It lost against another one (a serialization failure, or the victim of a deadlock), or read from a former primary.
    """


@cache
def exception_classes(with_asyncpg: bool) -> Mapping[type[BaseException], Reaction]:
    """Return the reaction by class of errors without SQLSTATE or result code. The nearest base class decides.

    ``with_asyncpg`` is False until asyncpg is imported.
    """
    if not with_asyncpg:
        return _PYTHON
    from asyncpg import exceptions

    return {
        **_PYTHON,
        exceptions.InternalClientError: RECONNECT,  # also no server with the attributes that the URL asks for
        exceptions.InterfaceError: RECONNECT,  # mostly: the connection is closed
        exceptions.ClientConfigurationError: FAULT,
        exceptions.UnsupportedClientFeatureError: FAULT,
        exceptions.UnsupportedServerFeatureError: FAULT,
        exceptions.InvalidCachedStatementError: RECONNECT,  # a migration changed a table
    }


def driver_error(error: BaseException) -> BaseException:
    """Return the driver's error that SQLAlchemy wrapped."""
    if isinstance(error, DBAPIError):
        error = error.orig or error
    if isinstance(error, EmulatedDBAPIException):
        error = error.orig or error.__cause__ or error
    return error


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of ``error``; empty if it has none."""
    return getattr(driver_error(error), "sqlstate", None) or ""


def reaction_to(error: BaseException) -> Reaction:
    """Return how ``error`` is answered, by the tables of this module."""
    cause = driver_error(error)
    if isinstance(cause, OrderFlowError):
        return FAULT
    classes = exception_classes(sys.modules.get("asyncpg") is not None)
    by_class = next((classes[kind] for kind in type(cause).__mro__ if kind in classes), None)
    if code := sqlstate(cause):
        return by_class or SQLSTATES.get(code) or SQLSTATES.get(code[:2], FAULT)
    result: int | None = getattr(cause, "sqlite_errorcode", None)
    if result is not None:
        return SQLITE_CODES.get(result) or SQLITE_CODES.get(result & 0xFF, FAULT)
    return by_class or FAULT


def unanswered(error: BaseException) -> bool:
    """Return True if the outcome of the statement is unknown: the connection was lost, or no answer came."""
    code = sqlstate(error)
    return code.startswith(_UNKNOWN_OUTCOME) if code else reaction_to(error) is RECONNECT


def unavailable(error: BaseException, backend: str) -> StorageUnavailable | None:
    """Return ``error`` as StorageUnavailable, or None for a fault. A lost race is a TransactionConflict."""
    reaction = reaction_to(error)
    if reaction is FAULT:
        return None
    problem = _problem(driver_error(error))
    if reaction is RETRY:
        return TransactionConflict(backend, f"the transaction conflicted with another one: {problem}")
    return StorageUnavailable(backend, problem)


def _problem(cause: BaseException) -> str:
    match cause:
        case NoFreeConnection():
            return "all its connections are busy"
        case TimeoutError():
            return "no answer in time"
        case SSLCertVerificationError():
            return f"its certificate {certificate_problem(cause, authorities='sslrootcert')}"
        case _:
            return str(cause) or type(cause).__name__


@contextmanager
def translated(backend: str) -> Iterator[None]:
    """Raise StorageUnavailable for errors inside the block that mean so; other errors pass."""
    try:
        yield
    except (OrderFlowError, CancelledError):
        raise
    except Exception as error:
        if (failure := unavailable(error, backend)) is not None:
            raise failure from error
        raise


def not_writable(error: BaseException) -> bool:
    """Return whether no server has the attributes that the URL asks for, which in general are those of a primary."""
    if sys.modules.get("asyncpg") is None:
        return False
    from asyncpg.exceptions import TargetServerAttributeNotMatched

    return isinstance(error, TargetServerAttributeNotMatched)


def read_only(connection: Any) -> bool:
    """Return whether the server of an asyncpg connection has reported that it accepts no writes.

    PostgreSQL reports it since version 14, with the answer to a statement, so it costs no query.
    """
    reported = connection.get_settings()
    return "on" in (getattr(reported, name, "off") for name in ("in_hot_standby", "default_transaction_read_only"))
