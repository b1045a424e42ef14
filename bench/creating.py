"""``create``: orders placed through the use-case, against the same insert by SQLAlchemy's ORM with a commit each."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from time import perf_counter
from typing import Any
from uuid import uuid4

from attrs import frozen
from orderflow.adapters import wire
from orderflow.adapters.sql.event_log import order_events
from orderflow.adapters.sql.orders import orders
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.actor import Actor, Role
from orderflow.domain.events import OrderLine
from orderflow.domain.money import Money
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened
from orderflow.entrypoints.wiring.storage_and_consumers import utc_now
from sqlalchemy import BigInteger, Column, Identity, MetaData, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import registry

from .finding import Effort, Finding, in_turn, rates, ratios
from .servers import Servers

CALLERS = 128
ORDERS = 1500
RELAY = 1.0
ADMIN = Actor(Role.ADMIN, "bench")

Create = Callable[[int], Awaitable[object]]


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    settings, many = Settings(database_url=servers.database()), effort.of(ORDERS)
    container = container_for(settings)
    async with opened(container), _peer(servers.empty_database(), settings.database_pool_size) as save:
        create = container.use_cases().create_order

        async def ours() -> float:
            return await rate(many, lambda number: create(new_order(number), by=ADMIN))

        async def peers() -> float:
            rows = [_rows(number) for number in range(many)]
            return await rate(many, lambda number: save(*rows[number]))

        our, peer = await in_turn(effort, ours, peers)
    aside = rates("orders", orderflow=our, ORM=peer) + f"; {CALLERS} callers, {settings.database_pool_size} connections"
    return [Finding(what="create / ORM with a commit each", values=ratios(our, peer), floor=RELAY, aside=aside)]


async def rate(many: int, create: Create) -> float:
    """Orders a second, with the callers taking turns at one pile of work."""
    numbers = iter(range(many))

    async def caller(numbers: Iterator[int]) -> None:
        for number in numbers:
            await create(number)

    began = perf_counter()
    await asyncio.gather(*[caller(numbers) for _ in range(CALLERS)])
    return many / (perf_counter() - began)


def _lines() -> tuple[OrderLine, ...]:
    return tuple(
        OrderLine(
            food_id=f"F{number}",
            food_name=f"Dish {number}",
            price=Money(Decimal("12.50"), "USD"),
            quantity=number,
            discount=Money(Decimal("0.50"), "USD"),
        )
        for number in (1, 2)
    )


def new_order(number: int) -> NewOrder:
    return NewOrder(
        customer_id=f"C{number % 997}",
        restaurant_id=f"R{number % 97}",
        lines=_lines(),
        payment_method=PaymentMethod.CASH,
        currency="USD",
    )


def _rows(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What orderflow would write of the same order: its row, and the row of its event. Made outside the clock."""
    new = new_order(number)
    change = Order.place(
        id=str(uuid4()),
        customer_id=new.customer_id,
        restaurant_id=new.restaurant_id,
        lines=new.lines,
        payment_method=new.payment_method,
        currency=new.currency,
        at=utc_now(),
    )
    order, [event] = change.order, change.events
    lines = [{"food_id": it.food_id, "quantity": it.quantity, "price": str(it.price.amount)} for it in order.lines]
    row = {
        "id": order.id,
        "version": order.version,
        "state": order.state.value,
        "customer_id": order.customer_id,
        "restaurant_id": order.restaurant_id,
        "lines": lines,
        "delivery_fee": order.delivery_fee.amount,
        "currency": order.currency,
        "payment_method": order.payment.method.value,
        "payment_status": order.payment.status.value,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }
    record = wire.record(event, bucket=0, position=0)
    kept = ("order_id", "sequence", "type", "event_id", "occurred_at", "body", "correlation_id", "traceparent")
    return row, {name: value for name, value in record._asdict().items() if name in kept}


@frozen
class _Tables:
    """The peer's tables: orderflow's columns and indexes, with a plain counter for the position."""

    metadata: MetaData
    orders: Table
    events: Table


def _tables() -> _Tables:
    metadata = MetaData()
    columns = [column.copy() for column in order_events.columns if column.name not in ("bucket", "position")]
    events = Table(
        order_events.name,
        metadata,
        Column("position", BigInteger, Identity(), nullable=False),
        *columns,
        PrimaryKeyConstraint("position"),
        UniqueConstraint("order_id", "sequence"),
    )
    return _Tables(metadata, orders.to_metadata(metadata), events)


@asynccontextmanager
async def _peer(url: str, pool_size: int) -> AsyncIterator[Callable[[dict[str, Any], dict[str, Any]], Awaitable[None]]]:
    """Saves an order and its event as one would with the ORM: a session, two objects, a commit."""
    tables, mapped = _tables(), registry()
    order_class, event_class = type("PeerOrder", (), {}), type("PeerEvent", (), {})
    mapped.map_imperatively(order_class, tables.orders)
    mapped.map_imperatively(event_class, tables.events)
    engine = create_async_engine(
        url.replace("postgresql:", "postgresql+asyncpg:", 1), pool_size=pool_size, max_overflow=0, pool_timeout=300
    )
    async with engine.begin() as connection:
        await connection.run_sync(tables.metadata.create_all)
    session = async_sessionmaker(engine)

    async def save(order: dict[str, Any], event: dict[str, Any]) -> None:
        async with session() as work:
            work.add(order_class(**order))
            work.add(event_class(**event))
            await work.commit()

    try:
        yield save
    finally:
        mapped.dispose()
        await engine.dispose()
