"""The commit of a batch in one SQLite transaction, on the writing thread.

Rows are given to the driver as they are stored, which takes a third of the time of SQLAlchemy's expressions.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from ..database import Database, repeated
from ..engines import to_json
from ..payment_attempts import IS_NEWS, IS_OUTSTANDING, KEPT_REFERENCE, MAY_FAIL
from ..types import Row, stored_time
from .batch import ATTEMPT, CHANGE, EVENT, KEY, ORDER, TERM, WriteBatch
from .conflicts import Conflicts


def _insert(table: str, names: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"


def _given(names: Sequence[str]) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in names)


_TAKE_KEY = _insert("idempotency_keys", [*KEY, "created_at"]) + " ON CONFLICT DO NOTHING"
_CREATE_ORDER = _insert("orders", ORDER) + " ON CONFLICT DO NOTHING"
_ADD_TERM = _insert("order_terms", TERM) + " ON CONFLICT DO NOTHING"
_CHANGE_ORDER = f"UPDATE orders SET {', '.join(f'{name} = ?' for name in CHANGE[1:-1])} WHERE id = ? AND version = ?"
_KEEP_ATTEMPT = (
    f"{_insert('payment_attempts', ATTEMPT)} ON CONFLICT (key) DO UPDATE SET "
    f"{_given([name for name in ATTEMPT[1:] if name != 'reference'])}, {KEPT_REFERENCE} WHERE {IS_NEWS}"
)
_SETTLE_ATTEMPT = "DELETE FROM outstanding_payment_attempts WHERE key = ?"
_OUTSTANDING_ATTEMPT = (
    "INSERT INTO outstanding_payment_attempts (key) "
    f"SELECT key FROM payment_attempts WHERE key = ? AND {IS_OUTSTANDING}"
)
_END_REFUND = "DELETE FROM made_refunds WHERE key = ?"
_MADE_REFUND = (
    f"INSERT INTO made_refunds (key, due_at) SELECT key, due_at FROM payment_attempts WHERE key = ? AND {MAY_FAIL}"
)
_HEADS = "SELECT bucket, position FROM log_heads WHERE bucket IN (SELECT value FROM json_each(?))"
_MOVE_HEAD = "UPDATE log_heads SET position = ? WHERE bucket = ?"
_APPEND_EVENT = _insert("order_events", ["bucket", "position", *EVENT, "committed_at"])
_COUNTED = {"preserve_rowcount": True}


class _NotCommitted(Exception):
    """Rolls the transaction back because of conflicts; it does not leave this module."""

    def __init__(self, conflicts: Conflicts) -> None:
        self.conflicts = conflicts


class _SomeRefused(Exception):
    """Rolls the transaction back because of conflicts that are to be found row by row."""


Write = Callable[[Connection, str, Sequence[Row]], Iterable[int]]
"""Executes a statement for each row, and returns the numbers of the rows that it did not write."""


@repeated
async def write(database: Database, batch: WriteBatch) -> Conflicts:
    """Commit ``batch``, or nothing if there are conflicts. Raises StorageUnavailable.

    All rows of a kind are written in one call, which takes less time than a call for each. Its result does not show
    which of them were refused, so the batch is written again row by row if any was.
    """
    try:
        try:
            await database.run_transaction(lambda connection: _write(connection, batch, _all_at_once))
        except _SomeRefused:
            await database.run_transaction(lambda connection: _write(connection, batch, _one_by_one))
    except _NotCommitted as outcome:
        return outcome.conflicts
    return Conflicts()


def write_on(connection: Connection, batch: WriteBatch) -> Conflicts:
    """Write ``batch`` in a transaction that goes on after it. If there are conflicts, the caller rolls it back."""
    try:
        _write(connection, batch, _one_by_one)
    except _NotCommitted as outcome:
        return outcome.conflicts
    return Conflicts()


def _write(connection: Connection, batch: WriteBatch, write: Write) -> None:
    """Write keys, orders, terms, attempts and events, in this order."""
    now = stored_time(datetime.now(UTC))
    if refused := [batch.keys[n] for n in write(connection, _TAKE_KEY, [(*key, now) for key in batch.keys])]:
        raise _NotCommitted(Conflicts(keys={(str(caller), str(key)) for caller, key, *_ in refused}))
    late = [batch.created[n] for n in write(connection, _CREATE_ORDER, batch.created)]
    changed = [(*row[1:-1], row[0], row[-1]) for row in batch.changed]
    late += [batch.changed[n] for n in write(connection, _CHANGE_ORDER, changed)]
    if late:
        raise _NotCommitted(Conflicts(orders={str(order_id) for order_id, *_ in late}))
    if batch.terms:
        connection.exec_driver_sql(_ADD_TERM, list(batch.terms))
    if batch.attempts:
        keys = [(key,) for key, *_ in batch.attempts]
        decisions = batch.decisions
        if late := [decisions[n] for n in write(connection, _KEEP_ATTEMPT, decisions)]:
            raise _NotCommitted(Conflicts(attempts={str(key) for key, *_ in late}))
        if others := [row for row in batch.attempts if row not in decisions]:
            connection.exec_driver_sql(_KEEP_ATTEMPT, others)
        for statement in (_SETTLE_ATTEMPT, _OUTSTANDING_ATTEMPT, _END_REFUND, _MADE_REFUND):
            connection.exec_driver_sql(statement, keys)
    if batch.events:
        found = connection.exec_driver_sql(_HEADS, (to_json([*batch.taken]),))
        heads: dict[int, int] = {row.bucket: row.position for row in found}
        appended = [_appended(event, heads, now) for event in batch.events]
        moved = [(heads[bucket] + many, bucket) for bucket, many in batch.taken.items()]
        connection.exec_driver_sql(_MOVE_HEAD, moved)
        connection.exec_driver_sql(_APPEND_EVENT, appended)


def _all_at_once(connection: Connection, statement: str, rows: Sequence[Row]) -> Iterable[int]:
    if rows and connection.exec_driver_sql(statement, list(rows), execution_options=_COUNTED).rowcount != len(rows):
        raise _SomeRefused
    return ()


def _one_by_one(connection: Connection, statement: str, rows: Sequence[Row]) -> Iterable[int]:
    return [n for n, row in enumerate(rows) if connection.exec_driver_sql(statement, row).rowcount != 1]


def _appended(event: tuple[Any, ...], heads: Mapping[int, int], now: str) -> Row:
    bucket, ahead, *values = event
    return (bucket, heads[bucket] + ahead, *values, now)
