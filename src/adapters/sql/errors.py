"""Translation of the drivers' errors. Messages never contain the database's URL or password."""

import sqlite3
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import SSLCertVerificationError

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from ...domain.errors import OrderFlowError, StorageUnavailable
from ..certificates import certificate_problem

SERIALIZATION_FAILURES = ("40001", "40P01")
"""serialization_failure and deadlock_detected."""
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection, authorization, no such database,
# transaction state (idle too long, read only), privileges that were not granted, resources, object in use
# (lock_timeout), operator, system, internal.
_UNAVAILABLE_STATES = ("08", "28", "3D", "25", "42501", "53", "55", "57", "58", "XX")


def driver_error(error: BaseException) -> BaseException:
    """Return the driver's error that SQLAlchemy wrapped."""
    if isinstance(error, DBAPIError):
        return error.driver_exception or error.orig or error
    return error


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of ``error``; empty if it has none."""
    return getattr(driver_error(error), "sqlstate", None) or ""


def lost_race(error: BaseException) -> bool:
    return sqlstate(error) in SERIALIZATION_FAILURES


def unanswered(error: BaseException) -> bool:
    """Return True if the outcome of the statement is unknown: the connection was lost, or no answer came."""
    return not sqlstate(error) or sqlstate(error).startswith(("08", "57P"))


def unavailable(error: BaseException, backend: str) -> StorageUnavailable | None:
    """Return ``error`` as StorageUnavailable if the backend is unavailable, else None."""
    cause = driver_error(error)
    if isinstance(cause, NoFreeConnection):
        return StorageUnavailable(backend, "all its connections are busy")
    if isinstance(cause, TimeoutError):
        return StorageUnavailable(backend, "no answer in time")
    code = sqlstate(cause)
    if code:
        return StorageUnavailable(backend, str(cause)) if code.startswith(_UNAVAILABLE_STATES) else None
    if isinstance(cause, sqlite3.Error):
        # SQLITE_ERROR is a wrong statement, SQLITE_CONSTRAINT wrong data; the others concern file, disk or lock.
        name = getattr(cause, "sqlite_errorname", "SQLITE_CLOSED")
        wrong = name.startswith(("SQLITE_ERROR", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_RANGE"))
        return None if wrong else StorageUnavailable(backend, str(cause))
    closed = type(cause).__name__ in ("InterfaceError", "InternalClientError", "ConnectionDoesNotExistError")
    if isinstance(cause, SSLCertVerificationError):
        return StorageUnavailable(backend, f"its certificate {certificate_problem(cause, authorities='sslrootcert')}")
    if isinstance(cause, OSError) or closed:
        return StorageUnavailable(backend, str(cause) or type(cause).__name__)
    return None


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
