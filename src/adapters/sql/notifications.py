"""Parties, contacts and notifications as rows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import starmap
from typing import Any

from attrs import asdict, evolve, frozen
from sqlalchemy import (
    Column,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    func,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.backlog import Backlog
from ...application.notifications.notification import (
    ERASED,
    Contact,
    Notification,
    NotificationKey,
    NotificationStatus,
    Parties,
)
from .bulk import Row, among, change, put, select_all, select_among
from .database import Database
from .types import Identifier, Timestamp, due, metadata, partial_index

order_parties = Table(
    "order_parties",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("restaurant_id", Text, nullable=False),
    Column("shipper_id", Text),
    Column("sequence", Integer, nullable=False),
    PrimaryKeyConstraint("order_id"),
)


contacts = Table(
    "contacts",
    metadata,
    Column("party", Identifier, nullable=False),
    Column("email", Text),
    PrimaryKeyConstraint("party"),
)


notifications = Table(
    "notifications",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("recipient", Identifier, nullable=False),
    Column("channel", Identifier, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("recorded_at", Timestamp, nullable=False),
    Column("due_at", Timestamp, nullable=False),
    Column("sent_at", Timestamp),
    Column("detail", Text, nullable=False),
    Column("correlation_id", Text, nullable=False, server_default=""),
    Column("traceparent", Text, nullable=False, server_default=""),
    Column("awaits", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("order_id", "sequence", "recipient", "channel"),
)


PENDING = text("status = 'pending'")
partial_index(
    "notifications_pending",
    notifications.c.due_at,
    notifications.c.order_id,
    notifications.c.sequence,
    where=PENDING,
)


failed_notifications = Table(
    "failed_notifications",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("recipient", Identifier, nullable=False),
    Column("channel", Identifier, nullable=False),
    PrimaryKeyConstraint("order_id", "sequence", "recipient", "channel"),
)
"""The keys of the notifications that failed: an index on them would stop their writers while it is built."""


_CONSTANT = {"event_type", "recorded_at", "correlation_id", "traceparent"}
"""The columns that do not change."""


def row_of_notification(it: Notification) -> dict[str, Any]:
    return {**asdict(it, recurse=False), "status": it.status.value}


def row_of_outcome(it: Notification) -> dict[str, Any]:
    """Return the columns that may change, and the key."""
    return {name: value for name, value in row_of_notification(it).items() if name not in _CONSTANT}


def notification_of(row: Row) -> Notification:
    return Notification(**{**row, "status": NotificationStatus(row["status"])})


@frozen
class SqlNotificationStore:
    _connection: AsyncConnection

    async def parties(self, order_ids: Collection[str]) -> Mapping[str, Parties]:
        rows = await select_among(self._connection, order_parties.c.order_id, order_ids)
        return {row["order_id"]: Parties(**row) for row in rows}

    async def keep_parties(self, parties: Sequence[Parties]) -> None:
        await put(self._connection, order_parties, [asdict(it, recurse=False) for it in parties])

    async def contacts(self, parties: Collection[str]) -> Mapping[str, Contact]:
        rows = await select_among(self._connection, contacts.c.party, parties)
        return {row["party"]: Contact.stored(**row) for row in rows}

    async def record(self, notifications_: Sequence[Notification]) -> None:
        await put(self._connection, notifications, [row_of_notification(it) for it in notifications_], replace=False)
        await _note_failed(self._connection, notifications_)


_KEY = [notifications.c[name] for name in NotificationKey._fields]


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
        rows = await select_all(self._database, select(contacts).where(contacts.c.party == party))
        return Contact.stored(**rows[0]) if rows else None

    async def list(self) -> Sequence[Contact]:
        return [
            Contact.stored(**row)
            for row in await select_all(self._database, select(contacts).order_by(contacts.c.party))
        ]


_FAILED = (tuple_(*_KEY).in_(select(*failed_notifications.c)), text("status = 'failed'"))


def _key_of(it: Notification) -> dict[str, Any]:
    return {name: getattr(it, name) for name in NotificationKey._fields}


async def _note_failed(connection: AsyncConnection, notifications_: Sequence[Notification]) -> None:
    failed = [_key_of(it) for it in notifications_ if it.status is NotificationStatus.FAILED]
    await put(connection, failed_notifications, failed, replace=False)


_TAKES_SENT = f"notifications.status IN ('pending', 'dropped') AND notifications.detail <> '{ERASED}'"


@frozen
class SqlNotifications:
    _database: Database

    async def claim(
        self, channels: Collection[str], *, now: datetime, until: datetime, limit: int
    ) -> Sequence[Notification]:
        it = notifications.c
        # If nothing is due, take no lock.
        async with self._database.reading() as connection:
            pending = (it.status == "pending", due(it.due_at, now, until), among(connection, it.channel, channels))
            claimable = select(notifications).where(*pending).order_by(it.due_at, it.order_id, it.sequence).limit(limit)
            if (await connection.execute(claimable.limit(1))).first() is None:
                return []
        async with self._database.writing() as connection:
            found = await connection.execute(claimable.with_for_update(skip_locked=True))
            claimed = [notification_of(row) for row in found.mappings()]
            await change(connection, notifications, [row_of_outcome(evolve(it, due_at=until)) for it in claimed])
        return claimed

    async def keep(self, notifications_: Sequence[Notification]) -> None:
        if notifications_:
            async with self._database.writing() as connection:
                for sent, where in ((True, _TAKES_SENT), (False, "notifications.status = 'pending'")):
                    some = [it for it in notifications_ if (it.status is NotificationStatus.SENT) is sent]
                    await change(connection, notifications, [row_of_outcome(it) for it in some], where=where)
                await _note_failed(connection, notifications_)

    async def replace(self, notifications_: Sequence[Notification]) -> None:
        async with self._database.writing() as connection:
            await change(connection, notifications, [row_of_outcome(it) for it in notifications_])
            await _note_failed(connection, notifications_)
            for it in notifications_:
                if it.status is not NotificationStatus.FAILED:
                    key = zip(failed_notifications.c, _key_of(it).values(), strict=True)
                    await connection.execute(delete(failed_notifications).where(*(one == value for one, value in key)))

    async def backlog(self) -> Backlog:
        count = func.count().label("many")
        async with self._database.reading() as connection:
            waiting = select(count, func.min(notifications.c.recorded_at).label("oldest")).where(PENDING)
            pending = (await connection.execute(waiting)).one()
            failed = await connection.scalar(select(func.count()).select_from(notifications).where(*_FAILED))
        return Backlog(pending=pending.many, oldest=pending.oldest, failed=failed or 0)

    async def list(self, status: NotificationStatus, *, limit: int) -> Sequence[Notification]:
        it = notifications.c
        order = {
            NotificationStatus.PENDING: (it.due_at, it.order_id, it.sequence),
            NotificationStatus.FAILED: (it.recorded_at.desc(),),
        }.get(status, tuple(column.desc() for column in notifications.primary_key.columns))
        of_status = _FAILED if status is NotificationStatus.FAILED else (text(f"status = '{status.value}'"),)
        query = select(notifications).where(*of_status).order_by(*order).limit(limit)
        return [notification_of(row) for row in await select_all(self._database, query)]

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[Notification]:
        theirs = select(notifications).where(among(self._database.engine, notifications.c.order_id, order_ids))
        return [
            notification_of(row)
            for row in await select_all(self._database, theirs.order_by(*notifications.primary_key.columns))
        ]

    async def keys(self, order_ids: Collection[str]) -> Sequence[NotificationKey]:
        theirs = select(*_KEY).where(among(self._database.engine, notifications.c.order_id, order_ids))
        return [*starmap(NotificationKey, await self._database.rows(theirs.order_by(*_KEY)))]
