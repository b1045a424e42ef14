"""What the consumers keep, as it is seen and settled outside of their transactions."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import starmap
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Select, and_, delete, func, select, update

from ...application.dead_letters import DeadLetter, ForeignLetter, LetterChange, Outcome
from ...application.notices import Contact, Notification, Told
from ...application.stockroom import Reservation, StockItem, check_stock
from .bulk import among, change, put
from .database import Database
from .effects_rows import change_of, foreign_of, letter_of, notification_of, reservation_of, row_of_outcome
from .effects_tables import (
    contacts,
    dead_letter_changes,
    dead_letters,
    foreign_records,
    letters_to_copy,
    notifications,
    parked_orders,
    reservations,
    stock,
)

_TOLD = [notifications.c[name] for name in Told._fields]


@frozen
class SqlContacts:
    _database: Database

    async def set(self, contact: Contact) -> None:
        async with self._database.writing() as connection:
            if contact.email is None:
                await connection.execute(delete(contacts).where(contacts.c.party == contact.party))
            else:
                await put(connection, contacts, [{"party": contact.party, "email": contact.email}])

    async def get(self, party: str) -> Contact | None:
        rows = await _all(self._database, select(contacts).where(contacts.c.party == party))
        return Contact(**rows[0]) if rows else None

    async def list(self) -> Sequence[Contact]:
        return [Contact(**row) for row in await _all(self._database, select(contacts).order_by(contacts.c.party))]


@frozen
class SqlNotifications:
    _database: Database

    async def claim(
        self, channels: Collection[str], *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Notification]:
        it = notifications.c
        # An idle look takes no lock, and on SQLite no turn among the writers.
        async with self._database.reading() as connection:
            pending = (it.status == "pending", it.due_at <= now, among(connection, it.channel, channels))
            due = select(notifications).where(*pending).order_by(it.due_at, it.order_id, it.sequence).limit(limit)
            if (await connection.execute(due.limit(1))).first() is None:
                return []
        async with self._database.writing() as connection:
            found = await connection.execute(due.with_for_update(skip_locked=True))
            claimed = [notification_of(row) for row in found.mappings()]
            await change(connection, notifications, [row_of_outcome(evolve(it, due_at=until)) for it in claimed])
        return claimed

    async def keep(self, notifications_: Sequence[Notification]) -> None:
        if notifications_:
            async with self._database.writing() as connection:
                await change(connection, notifications, [row_of_outcome(it) for it in notifications_])

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[Notification]:
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(notifications)
                .where(among(connection, notifications.c.order_id, order_ids))
                .order_by(*notifications.primary_key.columns)
            )
            return [notification_of(row) for row in found.mappings()]

    async def told(self, order_ids: Collection[str]) -> Sequence[Told]:
        async with self._database.reading() as connection:
            found = await connection.execute(
                select(*_TOLD).where(among(connection, notifications.c.order_id, order_ids)).order_by(*_TOLD)
            )
            return [*starmap(Told, found)]


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
        rows = await _all(self._database, select(stock).where(here))
        return rows[0]["quantity"] if rows else None

    async def list(self, restaurant_id: str | None = None) -> Sequence[StockItem]:
        items = select(stock).order_by(stock.c.restaurant_id, stock.c.food_id)
        if restaurant_id is not None:
            items = items.where(stock.c.restaurant_id == restaurant_id)
        return [StockItem(**row) for row in await _all(self._database, items)]


@frozen
class SqlShortages:
    _database: Database

    async def unsettled(self, limit: int) -> Sequence[Reservation]:
        short = and_(reservations.c.status == "short", reservations.c.outcome == "")
        found = select(reservations).where(short).order_by(reservations.c.order_id).limit(limit)
        return [reservation_of(row) for row in await _all(self._database, found)]

    async def settle(self, order_id: str, outcome: str, at: datetime) -> None:
        async with self._database.writing() as connection:
            await connection.execute(
                update(reservations).where(reservations.c.order_id == order_id).values(outcome=outcome, settled_at=at)
            )

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        async with self._database.reading() as connection:
            here = among(connection, reservations.c.order_id, order_ids)
            found = await connection.execute(select(reservations).where(here))
            return {row["order_id"]: reservation_of(row) for row in found.mappings()}


@frozen
class SqlDeadLetters:
    _database: Database

    async def blocking(self, consumer: str | None = None, *, error: str | None = None) -> Sequence[DeadLetter]:
        it = dead_letters.c
        first = (
            select(it.consumer, it.order_id, func.min(it.sequence).label("sequence"))
            .group_by(it.consumer, it.order_id)
            .subquery()
        )
        same = and_(it.consumer == first.c.consumer, it.order_id == first.c.order_id, it.sequence == first.c.sequence)
        letters = select(dead_letters).join(first, same).order_by(it.consumer, it.order_id)
        if consumer is not None:
            letters = letters.where(it.consumer == consumer)
        if error is not None:
            letters = letters.where(it.error == error)
        return [letter_of(row) for row in await _all(self._database, letters)]

    async def of_order(self, consumer: str, order_id: str) -> Sequence[DeadLetter]:
        it = dead_letters.c
        letters = select(dead_letters).where(it.consumer == consumer, it.order_id == order_id).order_by(it.sequence)
        return [letter_of(row) for row in await _all(self._database, letters)]

    async def waiting(self, consumer: str) -> Mapping[str, int]:
        it = dead_letters.c
        counted = (
            select(it.order_id, func.count().label("letters")).where(it.consumer == consumer).group_by(it.order_id)
        )
        return {row["order_id"]: row["letters"] for row in await _all(self._database, counted)}

    async def history(
        self, *, limit: int, consumer: str | None = None, order_id: str | None = None
    ) -> Sequence[LetterChange]:
        it = dead_letter_changes.c
        changes = select(dead_letter_changes).order_by(it.entry.desc()).limit(limit)
        if consumer is not None:
            changes = changes.where(it.consumer == consumer)
        if order_id is not None:
            changes = changes.where(it.order_id == order_id)
        return [change_of(row) for row in await _all(self._database, changes)]

    async def claim_copies(self, *, now: datetime, until: datetime, limit: int) -> Sequence[DeadLetter]:
        it, letter = letters_to_copy.c, dead_letters.c
        same = and_(it.consumer == letter.consumer, it.order_id == letter.order_id, it.sequence == letter.sequence)
        due = (
            select(dead_letters)
            .join(letters_to_copy, same)
            .where(it.due_at <= now)
            .order_by(it.consumer, it.order_id, it.sequence)
            .limit(limit)
        )
        # An idle look takes no lock, and on SQLite no turn among the writers.
        if not await _all(self._database, due.limit(1)):
            return []
        async with self._database.writing() as connection:
            found = await connection.execute(due.with_for_update(of=letters_to_copy, skip_locked=True))
            claimed = [letter_of(row) for row in found.mappings()]
            await change(connection, letters_to_copy, [{**_key(letter), "due_at": until} for letter in claimed])
        return claimed

    async def copied(self, letters: Sequence[DeadLetter]) -> None:
        it = letters_to_copy.c
        async with self._database.writing() as connection:
            for letter in letters:
                here = [it[name] == value for name, value in _key(letter).items()]
                await connection.execute(delete(letters_to_copy).where(*here))

    async def dropped(self, consumer: str) -> Mapping[str, Collection[int]]:
        it = dead_letter_changes.c
        given_up = select(it.order_id, it.sequence).where(it.consumer == consumer, it.outcome == Outcome.DROPPED.value)
        found: dict[str, set[int]] = defaultdict(set)
        for row in await _all(self._database, given_up):
            found[row["order_id"]].add(row["sequence"])
        return found

    async def parked(self) -> Mapping[str, int]:
        it = parked_orders.c.consumer
        counted = select(it, func.count().label("orders")).group_by(it)
        return {row["consumer"]: row["orders"] for row in await _all(self._database, counted)}

    async def letters(self) -> Mapping[str, int]:
        it = dead_letters.c.consumer
        counted = select(it, func.count().label("letters")).group_by(it)
        return {row["consumer"]: row["letters"] for row in await _all(self._database, counted)}

    async def foreign_records(self) -> Mapping[str, int]:
        it = foreign_records.c.consumer
        counted = select(it, func.count().label("records")).group_by(it)
        return {row["consumer"]: row["records"] for row in await _all(self._database, counted)}

    async def latest(self, limit: int) -> Sequence[DeadLetter]:
        it = dead_letters.c
        letters = select(dead_letters).where(it.error != "").order_by(it.last_failed_at.desc()).limit(limit)
        return [letter_of(row) for row in await _all(self._database, letters)]

    async def foreign(self, consumer: str | None = None, *, limit: int = 100) -> Sequence[ForeignLetter]:
        letters = select(foreign_records).order_by(*foreign_records.primary_key.columns).limit(limit)
        if consumer is not None:
            letters = letters.where(foreign_records.c.consumer == consumer)
        return [foreign_of(row) for row in await _all(self._database, letters)]


def _key(letter: DeadLetter) -> dict[str, object]:
    return {"consumer": letter.consumer, "order_id": letter.record.order_id, "sequence": letter.record.sequence}


async def _all(database: Database, query: Select[Any]) -> Sequence[Any]:
    return [row._mapping for row in await database.rows(query)]
