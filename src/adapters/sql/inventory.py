"""Stock and reservations as rows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import asdict, frozen
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.inventory.stock import Food, Reservation, ReservationStatus, StockItem, check_stock
from .bulk import Row, among, put, select_all, select_among
from .database import Database
from .types import Identifier, Timestamp, metadata, partial_index

stock = Table(
    "stock",
    metadata,
    Column("restaurant_id", Identifier, nullable=False),
    Column("food_id", Identifier, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    PrimaryKeyConstraint("restaurant_id", "food_id"),
    CheckConstraint("quantity >= 0", name="stock_quantity_never_negative"),
)


reservations = Table(
    "reservations",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("restaurant_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("taken", JSON, nullable=False),
    Column("missing", JSON, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("settled_at", Timestamp),
    Column("correlation_id", Text, nullable=False, server_default=""),
    Column("traceparent", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("order_id"),
)


UNSETTLED_SHORT = text("status = 'short' AND outcome = ''")
partial_index("reservations_short", reservations.c.order_id, where=UNSETTLED_SHORT)


def row_of_reservation(it: Reservation) -> dict[str, Any]:
    return {
        **asdict(it, recurse=False),
        "status": it.status.value,
        "taken": dict(it.taken),
        "missing": list(it.missing),
    }


def reservation_of(row: Row) -> Reservation:
    return Reservation(**{**row, "status": ReservationStatus(row["status"]), "missing": tuple(row["missing"])})


@frozen
class SqlReservationStore:
    _connection: AsyncConnection

    async def reservations(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        rows = await select_among(self._connection, reservations.c.order_id, order_ids)
        return {row["order_id"]: reservation_of(row) for row in rows}

    async def stock(self, foods: Collection[Food]) -> Mapping[Food, int]:
        if not foods:
            return {}
        # Always locked in the same order, which prevents deadlocks.
        found = await self._connection.execute(
            select(stock)
            .where(among(self._connection, stock.c.restaurant_id, {restaurant_id for restaurant_id, _ in foods}))
            .where(among(self._connection, stock.c.food_id, {food_id for _, food_id in foods}))
            .order_by(stock.c.restaurant_id, stock.c.food_id)
            .with_for_update()
        )
        left = {(row.restaurant_id, row.food_id): row.quantity for row in found}
        return {food: left[food] for food in foods if food in left}

    async def put_stock(self, quantities: Mapping[Food, int]) -> None:
        rows = [
            {"restaurant_id": restaurant_id, "food_id": food_id, "quantity": quantity}
            for (restaurant_id, food_id), quantity in quantities.items()
        ]
        await put(self._connection, stock, rows)

    async def keep(self, reservations_: Sequence[Reservation]) -> None:
        await put(self._connection, reservations, [row_of_reservation(it) for it in reservations_])


@frozen
class SqlStock:
    _database: Database

    async def set(self, restaurant_id: str, food_id: str, quantity: int | None) -> None:
        check_stock(restaurant_id, food_id, quantity)
        row = {"restaurant_id": restaurant_id, "food_id": food_id, "quantity": quantity}
        async with self._database.writing() as connection:
            if quantity is None:
                here = and_(stock.c.restaurant_id == restaurant_id, stock.c.food_id == food_id)
                await connection.execute(delete(stock).where(here))
            else:
                await put(connection, stock, [row])

    async def get(self, restaurant_id: str, food_id: str) -> int | None:
        here = and_(stock.c.restaurant_id == restaurant_id, stock.c.food_id == food_id)
        rows = await select_all(self._database, select(stock).where(here))
        return rows[0]["quantity"] if rows else None

    async def list(self, restaurant_id: str | None = None) -> Sequence[StockItem]:
        items = select(stock).order_by(stock.c.restaurant_id, stock.c.food_id)
        if restaurant_id is not None:
            items = items.where(stock.c.restaurant_id == restaurant_id)
        return [StockItem(**row) for row in await select_all(self._database, items)]


@frozen
class SqlShortages:
    _database: Database

    async def unsettled(self, limit: int) -> Sequence[Reservation]:
        found = select(reservations).where(UNSETTLED_SHORT).order_by(reservations.c.order_id).limit(limit)
        return [reservation_of(row) for row in await select_all(self._database, found)]

    async def settle(self, order_id: str, outcome: str, at: datetime) -> None:
        async with self._database.writing() as connection:
            await connection.execute(
                update(reservations).where(reservations.c.order_id == order_id).values(outcome=outcome, settled_at=at)
            )

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        async with self._database.reading() as connection:
            return await SqlReservationStore(connection).reservations(order_ids)
