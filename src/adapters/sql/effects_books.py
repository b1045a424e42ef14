"""The books of one consumer transaction, as rows on its connection."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Column, Select, Table, delete, insert, select
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.dead_letters import DeadLetter, ForeignLetter, LetterChange
from ...application.figures import OrderCourse
from ...application.notices import Contact, Notification, Parties
from ...application.stockroom import Food, Reservation
from .bulk import among, put
from .effects_rows import (
    course_of,
    letter_of,
    reservation_of,
    row_of_change,
    row_of_course,
    row_of_foreign,
    row_of_letter,
    row_of_notification,
    row_of_parties,
    row_of_reservation,
)
from .effects_tables import (
    contacts,
    dead_letter_changes,
    dead_letters,
    foreign_records,
    letters_to_copy,
    notifications,
    order_courses,
    order_parties,
    parked_orders,
    reservations,
    stock,
)


@frozen
class SqlNotificationBook:
    _connection: AsyncConnection

    async def parties(self, order_ids: Collection[str]) -> Mapping[str, Parties]:
        rows = await _rows(self._connection, order_parties.c.order_id, order_ids)
        return {row["order_id"]: Parties(**row) for row in rows}

    async def keep_parties(self, parties: Sequence[Parties]) -> None:
        await put(self._connection, order_parties, [row_of_parties(it) for it in parties])

    async def contacts(self, parties: Collection[str]) -> Mapping[str, Contact]:
        rows = await _rows(self._connection, contacts.c.party, parties)
        return {row["party"]: Contact(**row) for row in rows}

    async def record(self, notifications_: Sequence[Notification]) -> None:
        await put(self._connection, notifications, [row_of_notification(it) for it in notifications_], replace=False)


@frozen
class SqlAnalyticsBook:
    _connection: AsyncConnection
    _table: Table = order_courses

    async def courses(self, order_ids: Collection[str]) -> Mapping[str, OrderCourse]:
        rows = await _rows(self._connection, self._table.c.order_id, order_ids)
        return {row["order_id"]: course_of(row) for row in rows}

    async def keep(self, courses: Sequence[OrderCourse]) -> None:
        await put(self._connection, self._table, [row_of_course(it) for it in courses])


@frozen
class SqlReservationBook:
    _connection: AsyncConnection

    async def reservations(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        rows = await _rows(self._connection, reservations.c.order_id, order_ids)
        return {row["order_id"]: reservation_of(row) for row in rows}

    async def stock(self, foods: Collection[Food]) -> Mapping[Food, int]:
        if not foods:
            return {}
        # Locked in one order everywhere, so that no two transactions wait for each other.
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
class SqlDeadLetterBook:
    """Whoever adds or removes letters of an order holds its row in ``parked_orders`` until the transaction ends."""

    _connection: AsyncConnection
    _consumer: str

    async def parked(self, order_ids: Collection[str]) -> Collection[str]:
        found = await self._connection.execute(
            select(parked_orders.c.order_id)
            .where(parked_orders.c.consumer == self._consumer)
            .where(among(self._connection, parked_orders.c.order_id, order_ids))
            .order_by(parked_orders.c.order_id)
            .with_for_update()
        )
        return set(found.scalars())

    async def first(self, order_id: str) -> DeadLetter | None:
        if not await self.parked([order_id]):
            return None
        letters = self._letters(order_id, select(dead_letters)).order_by(dead_letters.c.sequence).limit(1)
        row = (await self._connection.execute(letters)).mappings().first()
        return None if row is None else letter_of(row)

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        for order_id in sorted({letter.record.order_id for letter in letters}):
            await self._park(order_id)
        await put(self._connection, dead_letters, [row_of_letter(it) for it in letters])

    async def remove(self, letter: DeadLetter) -> bool:
        order_id = letter.record.order_id
        for table in (dead_letters, letters_to_copy):
            it = table.c
            here = it.consumer == self._consumer, it.order_id == order_id, it.sequence == letter.record.sequence
            await self._connection.execute(delete(table).where(*here))
        if await self.first(order_id) is not None:
            return False
        await self._connection.execute(
            delete(parked_orders).where(
                parked_orders.c.consumer == self._consumer, parked_orders.c.order_id == order_id
            )
        )
        return True

    async def copy_later(self, letters: Sequence[DeadLetter], at: datetime) -> None:
        rows = [
            {"consumer": it.consumer, "order_id": it.record.order_id, "sequence": it.record.sequence, "due_at": at}
            for it in letters
        ]
        await put(self._connection, letters_to_copy, rows)

    async def note(self, change: LetterChange) -> None:
        await self._connection.execute(insert(dead_letter_changes).values(row_of_change(change)))

    async def set_aside(self, letters: Sequence[ForeignLetter]) -> None:
        await put(self._connection, foreign_records, [row_of_foreign(it) for it in letters], replace=False)

    async def _park(self, order_id: str) -> None:
        """Insert the order's row or lock the one that is there: ON CONFLICT DO NOTHING would not lock it."""
        insert = (SqliteInsert if self._connection.dialect.name == "sqlite" else PostgresInsert)(parked_orders)
        await self._connection.execute(
            insert.on_conflict_do_update(index_elements=["consumer", "order_id"], set_={"order_id": order_id}),
            {"consumer": self._consumer, "order_id": order_id},
        )

    def _letters(self, order_id: str, of: Select[Any]) -> Select[Any]:
        return of.where(dead_letters.c.consumer == self._consumer, dead_letters.c.order_id == order_id)


async def _rows(connection: AsyncConnection, column: Column[Any], values: Collection[Any]) -> Sequence[Any]:
    """The rows of the column's table in which it is one of ``values``."""
    if not values:
        return []
    found = await connection.execute(select(column.table).where(among(connection, column, values)))
    return found.mappings().all()
