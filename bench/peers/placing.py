"""Placing and assigning orders as it is commonly written: pydantic, SQLAlchemy, and a commit for each.

It validates the same input, writes the same columns with the same indexes, and a row of an outbox for each event. It
leaves out what orderflow adds: permissions, exact rules for the decimals of a currency, positions in the log that are
dense and in commit order, correlation ids, traces, metrics, and the refusal of stale changes.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import uuid4

from orderflow.adapters.sql.event_log import order_events
from orderflow.adapters.sql.orders import orders
from orderflow.adapters.sql.sqlite_engines import SqliteFile, sqlite_engine
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, Column, Identity, Integer, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy import insert as insert_into
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import registry

Identifier = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
Amount = Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=4)]
Place = Callable[[dict[str, Any]], Awaitable[str]]
Assign = Callable[[str, str], Awaitable[object]]


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    foodId: Identifier
    foodName: Annotated[str, Field(min_length=1, max_length=200)]
    price: Amount
    quantity: Annotated[int, Field(ge=1, le=999)]
    discount: Amount


class NewOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")
    userId: Identifier
    restaurantId: Identifier
    orderDetails: Annotated[list[Line], Field(min_length=1, max_length=100)]
    paymentMethod: Literal["cash", "credit_card", "debit_card"]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class Event(BaseModel):
    """The envelope of an event."""

    id: str
    type: str
    orderId: str
    userId: str
    data: dict[str, Any]
    occurredAt: datetime
    version: str = "1.0"


def event_row(order: dict[str, Any], sequence: int, kind: str, data: dict[str, Any], at: datetime) -> dict[str, Any]:
    event = Event(
        id=str(uuid4()), type=kind, orderId=order["id"], userId=order["customer_id"], data=data, occurredAt=at
    )
    return {
        "order_id": order["id"],
        "sequence": sequence,
        "type": kind,
        "event_id": event.id,
        "occurred_at": at,
        "body": event.model_dump_json().encode(),
        "correlation_id": "",
        "traceparent": "",
        "requested_at": at,
        "committed_at": at,
    }


def placed(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of a valid order and of its event."""
    new, at = NewOrder.model_validate(given), datetime.now(UTC)
    total = sum((line.price * line.quantity - line.discount for line in new.orderDetails), Decimal(0))
    lines = [line.model_dump(mode="json") for line in new.orderDetails]
    order = {
        "id": str(uuid4()),
        "version": 1,
        "state": "waiting_for_shipper",
        "customer_id": new.userId,
        "restaurant_id": new.restaurantId,
        "lines": lines,
        "delivery_fee": Decimal(0),
        "currency": new.currency,
        "payment_method": new.paymentMethod,
        "payment_status": "pending",
        "created_at": at,
        "updated_at": at,
    }
    data = {"restaurantId": new.restaurantId, "totalPrice": total, "orderDetails": lines, "createdAt": at}
    return order, event_row(order, 1, "order.created", data, at)


def tables(backend: str) -> tuple[MetaData, Table, Table]:
    """Return orderflow's columns and indexes, with a plain counter for the position."""
    metadata = MetaData()
    columns = [column.copy() for column in order_events.columns if column.name not in ("bucket", "position")]
    counter = BigInteger() if backend == "postgresql" else Integer()
    events = Table(
        order_events.name,
        metadata,
        Column("position", counter, *([Identity()] if backend == "postgresql" else []), nullable=False),
        *columns,
        PrimaryKeyConstraint("position"),
        UniqueConstraint("order_id", "sequence"),
    )
    return metadata, orders.to_metadata(metadata), events


def engine_at(url: str, pool_size: int) -> AsyncEngine:
    """A pool of so many connections: asyncpg's with prepared statements, or aiosqlite's, WAL and as durable."""
    if url.startswith("sqlite"):
        return sqlite_engine(SqliteFile.at(url), pool_size)
    driver = url.replace("postgresql:", "postgresql+asyncpg:", 1)
    return create_async_engine(driver, pool_size=pool_size, max_overflow=0, pool_timeout=300)


class OrderRow:
    """Mapped to the orders."""


class EventRow:
    """Mapped to the outbox."""


@asynccontextmanager
async def orm(url: str, pool_size: int) -> AsyncIterator[tuple[Place, Assign]]:
    """With the ORM: a session, objects, a commit."""
    metadata, order_table, event_table = tables(url.partition(":")[0])
    mapped = registry()
    mapped.map_imperatively(OrderRow, order_table)
    mapped.map_imperatively(EventRow, event_table)
    engine = engine_at(url, pool_size)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    session = async_sessionmaker(engine, expire_on_commit=False)

    async def place(given: dict[str, Any]) -> str:
        order, event = placed(given)
        async with session() as work:
            work.add_all([_with(OrderRow(), order), _with(EventRow(), event)])
            await work.commit()
        return str(order["id"])

    async def assign(order_id: str, shipper_id: str) -> None:
        async with session() as work:
            row: Any = await work.get(OrderRow, order_id, with_for_update=True)
            if row is None or row.state != "waiting_for_shipper":
                raise LookupError(order_id)
            at, order = datetime.now(UTC), {"id": row.id, "customer_id": row.customer_id}
            row.shipper_id, row.state, row.version, row.updated_at = shipper_id, "preparing", row.version + 2, at
            assigned = {"shipperId": shipper_id, "assignedBy": "bench", "assignedAt": at}
            moved = {
                "oldState": "waiting_for_shipper",
                "newState": "preparing",
                "updatedBy": "bench",
                "changedAt": at,
            }
            work.add_all(
                [
                    _with(EventRow(), event_row(order, row.version - 1, "order.shipper_assigned", assigned, at)),
                    _with(EventRow(), event_row(order, row.version, "order.state_changed", moved, at)),
                ]
            )
            await work.commit()

    try:
        yield place, assign
    finally:
        mapped.dispose()
        await engine.dispose()


@asynccontextmanager
async def core(url: str, pool_size: int) -> AsyncIterator[Place]:
    """With SQLAlchemy Core: two statements and a commit."""
    metadata, order_table, event_table = tables(url.partition(":")[0])
    engine = engine_at(url, pool_size)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)

    async def place(given: dict[str, Any]) -> str:
        order, event = placed(given)
        async with engine.begin() as connection:
            await connection.execute(insert_into(order_table), order)
            await connection.execute(insert_into(event_table), event)
        return str(order["id"])

    try:
        yield place
    finally:
        await engine.dispose()


def _with(row: object, values: dict[str, Any]) -> object:
    for name, value in values.items():
        setattr(row, name, value)
    return row
