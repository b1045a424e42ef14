"""A batch in one PostgreSQL transaction: a statement for each kind of row, whatever their number.

The statements go to asyncpg itself: with SQLAlchemy between, a commit costs about twice as much of the processor.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from .batch import Batch, Expected
from .database import Database, committing
from .failures import translated
from .losers import Losers
from .tables import idempotency_keys, order_events, orders, payment_attempts

_TYPES = {
    "version": "int",
    "lines": "json",
    "delivery_fee": "numeric",
    "address": "json",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "estimated_at": "timestamptz",
    "delivered_at": "timestamptz",
    "delivery_minutes": "int",
    "answer": "bytea",
    "number": "int",
    "amount": "numeric",
    "asked_at": "timestamptz",
    "settled_at": "timestamptz",
    "bucket": "int",
    "ahead": "int",
    "sequence": "int",
    "occurred_at": "timestamptz",
    "body": "bytea",
    "expected": "int",
}
"""Of the columns that are not text."""


def _arrays(names: Sequence[str], first: int = 1) -> str:
    """One array parameter a column, as ``unnest`` takes them."""
    return ", ".join(f"${number}::{_TYPES.get(name, 'text')}[]" for number, name in enumerate(names, first))


def _names(columns: Collection[str]) -> str:
    return ", ".join(columns)


_KEY = [column.name for column in idempotency_keys.columns]
_ORDER = [column.name for column in orders.columns]
_ATTEMPT = [column.name for column in payment_attempts.columns if column.name != "entry"]
_NEWS = ["bucket", "ahead", *(c.name for c in order_events.columns if c.name not in ("bucket", "position"))]

TAKE_KEYS = (
    f"INSERT INTO idempotency_keys ({_names(_KEY)}) SELECT * FROM unnest({_arrays(_KEY)}) "
    "ON CONFLICT (caller, key) DO NOTHING RETURNING caller, key"
)
CREATE_ORDERS = (
    f"INSERT INTO orders ({_names(_ORDER)}) SELECT * FROM unnest({_arrays(_ORDER)}) "
    "ON CONFLICT (id) DO NOTHING RETURNING id"
)
CHANGE_ORDERS = (
    f"UPDATE orders SET {', '.join(f'{name} = n.{name}' for name in _ORDER)} "
    f"FROM unnest({_arrays([*_ORDER, 'expected'])}) AS n({_names([*_ORDER, 'expected'])}) "
    "WHERE orders.id = n.id AND orders.version = n.expected RETURNING orders.id"
)
KEEP_ATTEMPTS = (
    f"INSERT INTO payment_attempts ({_names(_ATTEMPT)}) SELECT * FROM unnest({_arrays(_ATTEMPT)}) "
    f"ON CONFLICT (key) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _ATTEMPT if name != 'key')}"
)
APPEND_EVENTS = (
    # The counter rows are locked in ascending order and read as they are then; they stay locked until the commit.
    "WITH locked AS (SELECT bucket, position FROM log_heads WHERE bucket = ANY($1::int[]) ORDER BY bucket FOR UPDATE), "
    "moved AS (UPDATE log_heads SET position = locked.position + taken.many "
    "FROM locked JOIN unnest($1::int[], $2::int[]) AS taken(bucket, many) USING (bucket) "
    "WHERE log_heads.bucket = locked.bucket) "
    f"INSERT INTO order_events ({_names(['bucket', 'position', *_NEWS[2:]])}) "
    f"SELECT bucket, locked.position + news.ahead, {_names([f'news.{name}' for name in _NEWS[2:]])} "
    f"FROM unnest({_arrays(_NEWS, first=3)}) AS news({_names(_NEWS)}) JOIN locked USING (bucket) ORDER BY 1, 2"
)


async def write(driver: Any, batch: Batch) -> Losers:
    """All rows of ``batch``, events last; where there are losers, the transaction must not commit."""
    if batch.keys:
        taken = await driver.fetch(TAKE_KEYS, *_columns(batch.keys, _KEY))
        if len(taken) < len(batch.keys):
            asked = {(key["caller"], key["key"]) for key in batch.keys}
            return Losers(keys=asked - {(row["caller"], row["key"]) for row in taken})
    late = await _late(driver, CREATE_ORDERS, batch.created, _ORDER)
    late |= await _late(driver, CHANGE_ORDERS, batch.changed, [*_ORDER, "expected"])
    if late:
        return Losers(orders=late)
    if batch.attempts:
        await driver.execute(KEEP_ATTEMPTS, *_columns(batch.attempts, _ATTEMPT))
    if batch.events:
        counted = list(batch.taken), list(batch.taken.values())
        done = await driver.execute(APPEND_EVENTS, *counted, *_columns(batch.events, _NEWS))
        if done != f"INSERT 0 {len(batch.events)}":
            raise RuntimeError(f"{done!r} for {len(batch.events)} events: a bucket has no counter row")
    return Losers()


async def _late(driver: Any, statement: str, asked: Sequence[Expected], columns: Sequence[str]) -> set[str]:
    if not asked:
        return set()
    rows = [{**order.row, "expected": order.version, **_as_json(order.row)} for order in asked]
    done = await driver.fetch(statement, *_columns(rows, columns))
    return {order.order_id for order in asked} - {row["id"] for row in done}


def _as_json(row: Mapping[str, Any]) -> dict[str, str | None]:
    return {
        name: None if row[name] is None else msgspec.json.encode(row[name]).decode() for name in ("lines", "address")
    }


def _columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[row[name] for row in rows] for name in names]


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Any]:
    """asyncpg's own connection in a transaction, which commits at the end and rolls back on an exception.

    A connection whose state is not known afterwards never returns to the pool.
    """
    with translated(database.backend):
        async with database.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            if driver is None:
                raise RuntimeError("the pool gave a connection without a driver")
            known = False
            try:
                await driver.execute("BEGIN")
                try:
                    yield driver
                except Exception:
                    if not driver.is_closed():
                        await driver.execute("ROLLBACK")
                        known = True
                    raise
                with committing(database.backend):
                    await driver.execute("COMMIT")
                known = True
            finally:
                if not known:
                    await connection.invalidate()
