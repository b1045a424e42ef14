"""Writes in a transaction of the application's own, on its own SQLAlchemy connection.

All functions that take a connection are synchronous: SQLAlchemy runs them for an AsyncConnection, too.
"""

import os
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from attrs import define, field
from sqlalchemy import Connection, Engine, NestedTransaction, Transaction, bindparam, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from ...application.event_log.records import EVENT_LIMIT
from ...application.orders.write_set import WriteSet
from ...domain.errors import InvalidInput, OrderNotFound
from ...domain.order import Order
from ...domain.text import is_identifier
from ..order_terms import OrderTerms
from .commit import write_postgresql, write_sqlite
from .commit.batch import WriteBatch
from .commit.conflicts import Conflicts
from .commit_notifications import CHANNEL
from .database import POSTGRESQL, SQLITE, Database
from .errors import sqlstate, translated
from .orders import order_of, orders

SAME = "a connection or session to the database of the orders"
ENDED = "the transaction or savepoint in which the block began has ended"
STILL_OPEN = "commit, and end savepoints, after the block"
OUT_OF_ORDER_WAIT = "500ms"
"""The lock timeout of the second block of one transaction, which may wait for a lock out of order.

It is shorter than PostgreSQL's deadlock_timeout, so that this transaction fails, and no other.
"""
NO_TRANSACTION = "25P01"
"""The SQLSTATE of a savepoint outside of a transaction."""
NOTHING = "0"
"""No limit, as PostgreSQL writes it."""

_BEGIN = text(
    "SELECT set_config('orderflow.joined', :token, true), to_regclass('log_heads')::oid AS heads, "
    "current_setting('transaction_read_only') AS read_only, current_setting('lock_timeout') AS lock_timeout, "
    "current_setting('idle_in_transaction_session_timeout') AS idle_timeout, "
    "coalesce(current_setting('orderflow.written', true), '') AS written"
)
_BOUND = text(
    "SELECT coalesce(current_setting('orderflow.joined', true), ''), set_config('lock_timeout', :lock_timeout, true), "
    "set_config('idle_in_transaction_session_timeout', :idle_timeout, true)"
)
_UNBOUND = "SELECT set_config('lock_timeout', :lock_timeout, true), set_config('orderflow.written', 'yes', true)"
_UNBOUND_AND_NOTIFY = text(f"{_UNBOUND}, pg_notify('{CHANNEL}', :who)")
_UNBOUND_ONLY = text(_UNBOUND)
_TAKE = text("SELECT pg_advisory_xact_lock(:key)")
_IS_FREE = text("SELECT pg_try_advisory_xact_lock(:key)")
_HEADS = text("SELECT to_regclass('log_heads')::oid")
_ORDER = select(orders).where(orders.c.id == bindparam("order_id"))
_AS_IT_IS: Mapping[str, Any] = {"schema_translate_map": None}
"""The application's own tables may be in schemas that its connection chooses."""
_WRITE_LOCK = "UPDATE log_heads SET position = position WHERE bucket = -1"
_PARAMETER = re.compile(r"\$(\d+)::(text(?:\[\])?)")


@define(eq=False)
class SqlJoining:
    """Joins transactions of the application on the database of the orders.

    ``terms`` are those by which orders are found. ``who`` is what PostgreSQL notifies other processes with when such a
    transaction commits; empty for no notification.
    """

    database: Database
    terms: OrderTerms
    who: str = ""
    event_limit: int = EVENT_LIMIT
    _heads: "WeakKeyDictionary[Engine, int]" = field(factory=WeakKeyDictionary, init=False)

    def knows(self, engine: Engine) -> bool:
        """Return whether ``engine`` is known to lead to the database of the orders."""
        return self.database.backend == SQLITE or engine in self._heads

    @asynccontextmanager
    async def recognizing(self) -> AsyncIterator[Callable[[Connection], None]]:
        """Yield what checks that a connection leads to the database of the orders, whatever its address says.

        A lock that is held here is visible there only if both are the same. Raises InvalidInput, StorageUnavailable.
        """
        key = secrets.randbits(63)
        async with self.database.writing() as ours:
            await ours.execute(_TAKE, {"key": key})
            heads = await ours.scalar(_HEADS)

            def check(connection: Connection) -> None:
                self._check_backend(connection)
                with translated(self.database.backend):
                    if connection.scalar(_IS_FREE, {"key": key}):
                        raise InvalidInput("connection", "it leads to another database", SAME)
                self._heads[connection.engine] = heads

            yield check

    def begin(self, connection: Connection) -> "JoinedTransaction":
        """Join the transaction of ``connection``, which begins one if it has none. On SQLite, it takes the write lock.

        Raises InvalidInput if it leads to another database or accepts no writes, StorageUnavailable.
        """
        self._check_backend(connection)
        with translated(self.database.backend):
            if self.database.backend == SQLITE:
                self._check_file(connection)
                _begin_immediate(connection)
                return JoinedTransaction(self, connection)
            token = secrets.token_hex(8)
            found = connection.execute(_BEGIN, {"token": token}).one()
        if found.heads != self._heads.get(connection.engine):
            raise InvalidInput("connection", "its search_path leads to other tables", SAME)
        if found.read_only == "on":
            raise InvalidInput("connection", "its transaction is read-only", "a transaction that may write")
        return JoinedTransaction(
            self,
            connection,
            token=token,
            lock_timeout=found.lock_timeout,
            idle_timeout=found.idle_timeout,
            again=found.written == "yes",
        )

    def _check_backend(self, connection: Connection) -> None:
        if connection.dialect.name != self.database.backend:
            raise InvalidInput("connection", f"it leads to {connection.dialect.name}", SAME)

    def _check_file(self, connection: Connection) -> None:
        ours = self.database.engine.url.database or ""
        try:
            listed = connection.exec_driver_sql("PRAGMA database_list").all()
        except ProgrammingError as error:  # Python's driver checks the thread, unless the engine is of a file
            allowed = f"{SAME}, opened with check_same_thread=False"
            raise InvalidInput("connection", "only the thread that opened it may use it", allowed) from error
        theirs = next((row[2] for row in listed if row[1] == "main"), "")
        if not (theirs and os.path.exists(theirs) and os.path.samefile(ours, theirs)):
            raise InvalidInput("connection", "it leads to another database", SAME)


@define(eq=False)
class JoinedTransaction:
    """A transaction of the application, on its own connection. SqlJoining creates it."""

    joining: SqlJoining
    connection: Connection
    token: str = ""
    lock_timeout: str = NOTHING
    idle_timeout: str = NOTHING
    again: bool = False
    _transactions: Sequence[Transaction | None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._transactions = self._current()

    def read(self, order_id: str) -> Order:
        """Return an order as this transaction sees it. Raises OrderNotFound, StorageUnavailable."""
        if is_identifier(order_id):
            with translated(self.joining.database.backend):
                rows = self.connection.execute(_ORDER, {"order_id": order_id}, execution_options=_AS_IT_IS).mappings()
                found = rows.one_or_none()
            if found is not None:
                return order_of(found)
        raise OrderNotFound(order_id)

    def write(self, sets: Sequence[WriteSet]) -> None:
        """Write ``sets`` in a savepoint, which is released: the application's commit makes them durable.

        Until then other transactions that change these orders, or write events in their buckets, wait. Raises the
        first Conflict, EventTooLarge, StorageUnavailable; then nothing was written, and unless the connection is lost
        the transaction may go on. Raises InvalidInput if the transaction has ended.
        """
        database = self.joining.database
        limit, terms = self.joining.event_limit, self.joining.terms
        batch = WriteBatch.of(sets, database.known_buckets(), event_limit=limit, terms=terms)
        if not batch:
            return
        if self._current() != self._transactions:
            raise InvalidInput("connection", ENDED, STILL_OPEN)
        write = self._on_postgresql if database.backend == POSTGRESQL else self._on_sqlite
        with translated(database.backend), self._savepoint() as savepoint:
            if conflicts := write(batch):
                savepoint.rollback()
        if conflicts:
            raise next(refusal for writes in sets if (refusal := conflicts.refusal(writes)) is not None)

    def _savepoint(self) -> NestedTransaction:
        try:
            return self.connection.begin_nested()
        except DBAPIError as error:
            if sqlstate(error) != NO_TRANSACTION:
                raise
            allowed = "one that has transactions, not AUTOCOMMIT"
            raise InvalidInput("connection", "it commits each statement", allowed) from error

    def _on_postgresql(self, batch: WriteBatch) -> Conflicts:
        address, connection = self.joining.database.address, self.connection
        bounds = {} if address is None else address.bounds
        lock_timeout, idle_timeout = (
            bounds.get(name, NOTHING) if theirs == NOTHING else theirs
            for name, theirs in (
                ("lock_timeout", self.lock_timeout),
                ("idle_in_transaction_session_timeout", self.idle_timeout),
            )
        )
        chosen = {"lock_timeout": OUT_OF_ORDER_WAIT if self.again else lock_timeout, "idle_timeout": idle_timeout}
        if connection.execute(_BOUND, chosen).scalar_one() != self.token:
            raise InvalidInput("connection", ENDED, STILL_OPEN)
        sql, given = write_postgresql.returning(batch)
        parameters = {f"p{n}": value for n, value in enumerate(given, start=1)}
        if conflicts := write_postgresql.conflicts(batch, connection.execute(_bindable(sql), parameters).scalar()):
            return conflicts
        if self.joining.who:
            connection.execute(_UNBOUND_AND_NOTIFY, {"lock_timeout": self.lock_timeout, "who": self.joining.who})
        else:
            connection.execute(_UNBOUND_ONLY, {"lock_timeout": self.lock_timeout})
        return Conflicts()

    def _on_sqlite(self, batch: WriteBatch) -> Conflicts:
        if not _driver(self.connection).in_transaction:
            raise InvalidInput("connection", ENDED, STILL_OPEN)
        return write_sqlite.write_on(self.connection, batch)

    def _current(self) -> Sequence[Transaction | None]:
        return self.connection.get_transaction(), self.connection.get_nested_transaction()


@cache
def _bindable(sql: str) -> Any:
    """Return the statement with named parameters, which SQLAlchemy translates for every driver."""
    return text(_PARAMETER.sub(r"CAST(:p\1 AS \2)", sql))


def _begin_immediate(connection: Connection) -> None:
    """Take SQLite's write lock. Python's driver would begin only with the first write, in many cases too late."""
    if not _driver(connection).in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    connection.exec_driver_sql(_WRITE_LOCK)


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
