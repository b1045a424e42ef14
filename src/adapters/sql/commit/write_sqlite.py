"""The commit of a batch in one SQLite transaction, on the writing thread."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Executable, bindparam, insert, or_, select, text, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from ..database import Database
from ..event_log import log_heads, order_events
from ..idempotency import idempotency_keys
from ..orders import UNCHANGEABLE, orders
from ..payment_attempts import IS_OUTSTANDING, payment_attempts
from .batch import Expected, WriteBatch
from .conflicts import Conflicts

_TAKE_KEY = insert_or(idempotency_keys).on_conflict_do_nothing()
_CREATE_ORDER = insert_or(orders).on_conflict_do_nothing()
_CHANGE_ORDER = update(orders).where(orders.c.id == bindparam("order_id"), orders.c.version == bindparam("expected"))
_KEEP_ATTEMPT = insert_or(payment_attempts)
_KEEP_ATTEMPT = _KEEP_ATTEMPT.on_conflict_do_update(
    index_elements=["key"],
    set_={c.name: _KEEP_ATTEMPT.excluded[c.name] for c in payment_attempts.columns if c.name not in ("entry", "key")},
    where=or_(payment_attempts.c.status == "requested", _KEEP_ATTEMPT.excluded.status != "requested"),
)
_SETTLE_ATTEMPT = text("DELETE FROM outstanding_payment_attempts WHERE key = :key")
_OUTSTANDING_ATTEMPT = text(
    "INSERT INTO outstanding_payment_attempts (key) "
    f"SELECT key FROM payment_attempts WHERE key = :key AND {IS_OUTSTANDING}"
)
_HEADS = select(log_heads.c.bucket, log_heads.c.position).where(
    log_heads.c.bucket.in_(bindparam("buckets", expanding=True))
)
_MOVE_HEAD = text("UPDATE log_heads SET position = position + :many WHERE bucket = :bucket")
_APPEND_EVENT = insert(order_events)
_COUNTED = {"preserve_rowcount": True}


class _NotCommitted(Exception):
    """Rolls the transaction back because of conflicts; it does not leave this module."""

    def __init__(self, conflicts: Conflicts) -> None:
        self.conflicts = conflicts


class _SomeRefused(Exception):
    """Rolls the transaction back because of conflicts that are to be found row by row."""


Row = Mapping[str, Any]
Write = Callable[[Connection, Executable, Sequence[Row]], Iterable[int]]
"""Executes a statement for each row, and returns the numbers of the rows that it did not write."""


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


def _write(connection: Connection, batch: WriteBatch, write: Write) -> None:
    """Write keys, orders, attempts and events, in this order."""
    now = datetime.now(UTC)
    keys = [{**key, "created_at": now} for key in batch.keys]
    if refused := [batch.keys[n] for n in write(connection, _TAKE_KEY, keys)]:
        raise _NotCommitted(Conflicts(keys={(key["caller"], key["key"]) for key in refused}))
    late = [batch.created[n] for n in write(connection, _CREATE_ORDER, [order.row for order in batch.created])]
    late += [batch.changed[n] for n in write(connection, _CHANGE_ORDER, [_change(order) for order in batch.changed])]
    if late:
        raise _NotCommitted(Conflicts(orders={order.order_id for order in late}))
    if batch.attempts:
        connection.execute(_KEEP_ATTEMPT, list(batch.attempts))
        keys = [{"key": attempt["key"]} for attempt in batch.attempts]
        connection.execute(_SETTLE_ATTEMPT, keys)
        connection.execute(_OUTSTANDING_ATTEMPT, keys)
    if batch.events:
        found = connection.execute(_HEADS, {"buckets": list(batch.taken)})
        heads = {row.bucket: row.position for row in found}
        connection.execute(_MOVE_HEAD, [{"bucket": b, "many": many} for b, many in batch.taken.items()])
        connection.execute(_APPEND_EVENT, [_appended(event, heads, now) for event in batch.events])


def _all_at_once(connection: Connection, statement: Executable, rows: Sequence[Row]) -> Iterable[int]:
    if rows and connection.execute(statement, rows, execution_options=_COUNTED).rowcount != len(rows):
        raise _SomeRefused
    return ()


def _one_by_one(connection: Connection, statement: Executable, rows: Sequence[Row]) -> Iterable[int]:
    return [n for n, row in enumerate(rows) if connection.execute(statement, row).rowcount != 1]


def _change(order: Expected) -> dict[str, Any]:
    changed = {name: value for name, value in order.row.items() if name not in UNCHANGEABLE}
    return {**changed, "order_id": order.order_id, "expected": order.version}


def _appended(event: dict[str, Any], heads: dict[int, int], now: datetime) -> dict[str, Any]:
    row = {**event, "position": heads[event["bucket"]] + event["ahead"], "committed_at": now}
    del row["ahead"]
    return row
