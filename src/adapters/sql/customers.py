"""Personal data in the rows of orders, responses, notifications, contacts, tokens and sessions."""

import json
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from attrs import frozen
from sqlalchemy import (
    Column,
    ColumnElement,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.customers.ports import ERASED_AT_ONCE, ErasedOrders, Kind
from ...application.event_log.records import Positions
from ...application.notifications.notification import ERASED, NotificationStatus
from ...domain.actor import Actor, Role
from ...domain.lifecycle import OrderState
from ..stored_responses import without_address
from .bulk import among, put
from .database import Database
from .dead_letters import unrecognized_records
from .idempotency import idempotency_keys
from .notifications import contacts, failed_notifications, notifications
from .order_search import order_terms
from .orders import orders
from .sessions import sessions
from .streams import stream_tickets
from .tokens import tokens
from .types import Timestamp, metadata

retention_progress = Table(
    "retention_progress",
    metadata,
    Column("kind", Text, nullable=False),
    Column("positions", Text, nullable=False),
    PrimaryKeyConstraint("kind"),
)
"""The position up to which old data is forgotten in each bucket of the log, as JSON."""

_FINAL = orders.c.state.in_([state.value for state in OrderState if state.terminal])
_HELD = or_(orders.c.address.is_not(None), orders.c.card_token.is_not(None), orders.c.annotations.is_not(None))
_NOTHING = {"address": None, "card_token": None, "annotations": None}
_BLANK = {"address": "", "subject": "", "text": "", "detail": ERASED}


@frozen
class SqlPersonalData:
    database: Database

    async def open_orders(self, customer_id: str) -> int:
        many = select(func.count()).select_from(orders).where(orders.c.customer_id == customer_id, ~_FINAL)
        return int((await self.database.rows(many))[0][0])

    async def erase_orders(self, customer_id: str, *, after: str) -> ErasedOrders:
        some = select(orders.c.id).where(orders.c.customer_id == customer_id, orders.c.id > after, _FINAL)
        party = str(Actor(Role.CUSTOMER, customer_id))
        async with self.database.writing() as connection:
            ids = (await connection.scalars(some.order_by(orders.c.id).limit(ERASED_AT_ONCE))).all()
            if not ids:
                return ErasedOrders()
            return ErasedOrders(
                orders=await _erase_orders(connection, ids),
                notifications=await _erase_notifications(
                    connection,
                    lambda table: and_(among(connection, table.c.order_id, ids), table.c.recipient == party),
                ),
                responses=await _erase_responses(connection, ids),
                last=ids[-1] if len(ids) == ERASED_AT_ONCE else None,
            )

    async def erase_account(self, customer_id: str, *, at: datetime) -> None:
        own = (tokens.c.role == Role.CUSTOMER.value, tokens.c.actor_id == customer_id)
        revoked = func.coalesce(tokens.c.revoked_at, bindparam("at", at, Timestamp()))
        async with self.database.writing() as connection:
            await connection.execute(delete(contacts).where(contacts.c.party == str(Actor(Role.CUSTOMER, customer_id))))
            await connection.execute(update(tokens).where(*own).values(revoked_at=revoked, label=""))
            for table in (sessions, stream_tickets):
                of_customer = (table.c.role == Role.CUSTOMER.value, table.c.actor_id == customer_id)
                await connection.execute(delete(table).where(*of_customer))

    async def forget_addresses(self, order_ids: Collection[str]) -> int:
        if not order_ids:
            return 0
        async with self.database.writing() as connection:
            return await _erase_orders(connection, sorted(order_ids))

    async def forget_notifications(self, events: Collection[tuple[str, int]]) -> int:
        ordered = sorted(events)
        async with self.database.writing() as connection:
            return sum(
                [
                    await _erase_notifications(connection, _of_events(ordered[start : start + ERASED_AT_ONCE]))
                    for start in range(0, len(ordered), ERASED_AT_ONCE)
                ]
            )

    async def delete_unrecognized(self, before: datetime) -> int:
        key = list(unrecognized_records.primary_key.columns)
        old = select(*key).where(unrecognized_records.c.found_at < bindparam("before", before, Timestamp()))
        async with self.database.writing() as connection:
            deleted = delete(unrecognized_records).where(tuple_(*key).in_(old.limit(ERASED_AT_ONCE)))
            return (await connection.execute(deleted)).rowcount

    async def progress(self, kind: Kind) -> Positions:
        found = await self.database.rows(
            select(retention_progress.c.positions).where(retention_progress.c.kind == kind.value)
        )
        return {int(bucket): at for row in found for bucket, at in json.loads(row.positions).items()}

    async def keep_progress(self, kind: Kind, positions: Positions) -> None:
        async with self.database.writing() as connection:
            row = {"kind": kind.value, "positions": json.dumps(dict(positions))}
            await put(connection, retention_progress, [row])


async def _erase_orders(connection: AsyncConnection, ids: Collection[str]) -> int:
    erased = update(orders).where(among(connection, orders.c.id, ids), _FINAL, _HELD).values(_NOTHING)
    changed = (await connection.execute(erased)).rowcount
    ended = select(orders.c.id).where(among(connection, orders.c.id, ids), _FINAL)
    await connection.execute(delete(order_terms).where(order_terms.c.order_id.in_(ended)))
    return changed


def _of_events(events: Sequence[tuple[str, int]]) -> Callable[[Table], ColumnElement[bool]]:
    return lambda table: tuple_(table.c.order_id, table.c.sequence).in_(events)


async def _erase_notifications(connection: AsyncConnection, which: Callable[[Table], ColumnElement[bool]]) -> int:
    """Erase address and text of the notifications for which ``which`` is true; drop those that were not sent."""
    await connection.execute(delete(failed_notifications).where(which(failed_notifications)))
    status = notifications.c.status
    dropped = case((status == NotificationStatus.SENT.value, status), else_=NotificationStatus.DROPPED.value)
    erased = update(notifications).where(which(notifications), notifications.c.detail != ERASED)
    return (await connection.execute(erased.values(**_BLANK, status=dropped))).rowcount


async def _erase_responses(connection: AsyncConnection, ids: Collection[str]) -> int:
    """Take the address out of the stored responses that show these orders. They are a day's, and have no index."""
    here = idempotency_keys.c
    found = await connection.execute(
        select(here.caller, here.key, here.response).where(among(connection, here.order_id, ids)).with_for_update()
    )
    changed = 0
    for caller, key, response in found.all():
        if (without := without_address(response)) != response:
            own = update(idempotency_keys).where(here.caller == caller, here.key == key)
            changed += (await connection.execute(own.values(response=without))).rowcount
    return changed
