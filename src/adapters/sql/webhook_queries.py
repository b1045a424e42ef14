"""Webhook endpoints and deliveries, as they are read and sent."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from attrs import frozen
from sqlalchemy import bindparam, delete, func, insert, or_, select, text, tuple_, update
from sqlalchemy.sql.expression import TextualSelect

from ...application.backlog import Backlog
from ...application.webhooks.delivery import LONGEST_PAUSE, DeliveryKey, DeliveryStatus, WebhookDelivery
from ...application.webhooks.endpoint import BY_OPERATOR, FAILING_AFTER, Endpoint
from ...application.webhooks.ports import DELETED_AT_ONCE, WebhookSummary
from ...domain.errors import NotFound
from .bulk import among, change, put, select_all
from .database import POSTGRESQL, Database
from .types import Timestamp, due
from .webhooks import (
    FAILED,
    HEALTH,
    UNSETTLED,
    delivery_of,
    endpoint_of,
    lock_queues,
    promote,
    restaurants_of,
    row_of_delivery,
    webhook_deliveries,
    webhook_endpoints,
    webhook_secrets,
)

it = webhook_deliveries.c
_ENDPOINTS = select(webhook_endpoints).order_by(webhook_endpoints.c.id)


@cache
def _due(endpoints: int) -> TextualSelect:
    """Return the query of the earliest pending deliveries of so many endpoints; LIMIT bounds each of them.

    Those that are due after ``late``, which a wrong clock has stored, are read by themselves: the index finds both.
    """
    names = ", ".join(column.name for column in it)

    def earliest(n: int, is_due: str) -> str:
        return (
            f"SELECT * FROM (SELECT {names} FROM webhook_deliveries WHERE endpoint_id = :endpoint_{n} "
            f"AND status = 'pending' AND {is_due} ORDER BY due_at LIMIT :limit_{n}) AS found"
        )

    each = (
        f"SELECT * FROM ({earliest(n, 'due_at <= :now')} UNION ALL {earliest(n, 'due_at > :late')} "
        f"ORDER BY due_at LIMIT :limit_{n}) AS of_{n}"
        for n in range(endpoints)
    )
    times = [bindparam(name, type_=Timestamp()) for name in ("now", "late")]
    query = text(" UNION ALL ".join(each)).bindparams(*times)
    return query.columns(*it)


@frozen
class SqlWebhooks:
    _database: Database

    async def endpoints(self) -> Sequence[Endpoint]:
        return [endpoint_of(row) for row in await select_all(self._database, _ENDPOINTS)]

    async def get(self, endpoint_id: str) -> Endpoint:
        found = await select_all(self._database, _ENDPOINTS.where(webhook_endpoints.c.id == endpoint_id))
        if not found:
            raise NotFound("webhook endpoint", endpoint_id)
        return endpoint_of(found[0])

    async def own(self, owner: str, *, now: datetime, until: datetime) -> Sequence[Endpoint]:
        its = webhook_endpoints.c
        mine, free = its.owner == owner, or_(its.owner.is_(None), due(its.owned_until, now, until))
        half, late = now + (until - now) / 2, until + (until - now)
        enabled = _ENDPOINTS.where(its.status == "enabled", or_(mine, free))
        found = await select_all(self._database, enabled)
        if all(row["owner"] == owner and half < row["owned_until"] <= late for row in found):
            return [endpoint_of(row) for row in found]
        async with self._database.writing() as connection:
            rows = (await connection.execute(enabled.with_for_update(skip_locked=True))).mappings().all()
            owned = update(webhook_endpoints).where(among(connection, its.id, [row["id"] for row in rows]))
            await connection.execute(owned.values(owner=owner, owned_until=until))
        return [endpoint_of(row) for row in rows]

    async def disown(self, owner: str) -> None:
        its = webhook_endpoints.c
        if not await self._database.rows(select(its.id).where(its.owner == owner).limit(1)):
            return
        async with self._database.writing() as connection:
            mine = update(webhook_endpoints).where(its.owner == owner)
            await connection.execute(mine.values(owner=None, owned_until=None))

    async def secrets(self, endpoint_ids: Collection[str], now: datetime) -> Mapping[str, Sequence[str]]:
        its = webhook_secrets.c
        found: dict[str, list[str]] = {endpoint_id: [] for endpoint_id in endpoint_ids}
        if not found:
            return found
        valid = select(webhook_secrets).where(or_(its.ends_at.is_(None), its.ends_at > now))
        for row in await select_all(
            self._database, valid.order_by(its.created_at.desc(), its.ends_at.is_(None).desc())
        ):
            if row["endpoint_id"] in found:
                found[row["endpoint_id"]].append(row["secret"])
        return found

    async def rotate(self, endpoint_id: str, secret: str, *, now: datetime, until: datetime) -> None:
        its = webhook_secrets.c
        async with self._database.writing() as connection:
            one = select(webhook_endpoints.c.id).where(webhook_endpoints.c.id == endpoint_id).with_for_update()
            if (await connection.execute(one)).first() is None:
                raise NotFound("webhook endpoint", endpoint_id)
            of_endpoint = its.endpoint_id == endpoint_id
            await connection.execute(delete(webhook_secrets).where(of_endpoint, its.ends_at.is_not(None)))
            await connection.execute(update(webhook_secrets).where(of_endpoint).values(ends_at=until))
            new = insert(webhook_secrets).values(endpoint_id=endpoint_id, secret=secret, created_at=now)
            await connection.execute(new)

    async def due(self, wanted: Mapping[str, int], now: datetime) -> Sequence[WebhookDelivery]:
        if not wanted:
            return []
        given: dict[str, Any] = {"now": now, "late": now + 2 * LONGEST_PAUSE}
        for number, (endpoint_id, limit) in enumerate(wanted.items()):
            given |= {f"endpoint_{number}": endpoint_id, f"limit_{number}": limit}
        found = await self._database.rows(_due(len(wanted)), given)
        return [delivery_of(row._mapping) for row in found]

    async def settle(self, deliveries: Sequence[WebhookDelivery], endpoints: Sequence[Endpoint], now: datetime) -> None:
        rows = [row_of_delivery(delivery) for delivery in sorted(deliveries, key=lambda one: one.key)]
        ended = {(one.order_id, one.endpoint_id) for one in deliveries if not one.unsettled}
        health = [{"id": one.id, **{name: getattr(one, name) for name in HEALTH}} for one in endpoints]
        async with self._database.writing() as connection:
            if self._database.backend == POSTGRESQL and ended:
                await lock_queues(connection, ended)
            await change(connection, webhook_deliveries, rows, where="webhook_deliveries.status = 'pending'")
            if ended:
                await promote(connection, ended, now)
            await change(connection, webhook_endpoints, health)

    async def resend(self, deliveries: Sequence[WebhookDelivery]) -> None:
        if not deliveries:
            return
        queues = {(one.order_id, one.endpoint_id) for one in deliveries}
        async with self._database.writing() as connection:
            await lock_queues(connection, queues)
            rows = [{**row_of_delivery(one), "status": DeliveryStatus.WAITING.value} for one in deliveries]
            await put(connection, webhook_deliveries, rows)
            await promote(connection, queues, deliveries[0].due_at)

    async def restaurants(self, order_ids: Collection[str]) -> Mapping[str, str]:
        async with self._database.reading() as connection:
            return await restaurants_of(connection, order_ids)

    async def find(self, keys: Collection[DeliveryKey]) -> Sequence[WebhookDelivery]:
        orders = {key.order_id for key in keys}
        of_orders = select(webhook_deliveries).where(among(self._database.engine, it.order_id, sorted(orders)))
        found = map(delivery_of, await select_all(self._database, of_orders))
        return [delivery for delivery in found if delivery.key in keys]

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[WebhookDelivery]:
        theirs = select(webhook_deliveries).where(among(self._database.engine, it.order_id, sorted(order_ids)))
        in_order = theirs.order_by(it.order_id, it.endpoint_id, it.sequence)
        return [delivery_of(row) for row in await select_all(self._database, in_order)]

    async def unsettled(self, endpoint_id: str, *, at_most: int) -> int:
        some = select(it.recorded_at).where(it.endpoint_id == endpoint_id, UNSETTLED).limit(at_most + 1).subquery()
        [[number]] = await self._database.rows(select(func.count()).select_from(some))
        return int(number)

    async def list(
        self,
        endpoint_id: str,
        *,
        status: DeliveryStatus | None = None,
        order_id: str | None = None,
        limit: int,
    ) -> Sequence[WebhookDelivery]:
        query = select(webhook_deliveries).where(it.endpoint_id == endpoint_id).limit(limit)
        if status is not None:
            query = query.where(text(f"status = '{status.value}'"))
        if order_id is not None:
            query = query.where(it.order_id == order_id)
        if status is DeliveryStatus.PENDING:
            earliest = query.order_by(it.due_at, it.order_id, it.sequence)
            return [delivery_of(row) for row in await select_all(self._database, earliest)]
        found: dict[DeliveryKey, WebhookDelivery] = {}
        # Each has an index in this order. A delivery that is settled meanwhile is in both.
        parts: list[tuple[Any, Any]] = [(UNSETTLED, it.recorded_at)] if status in (None, DeliveryStatus.WAITING) else []
        parts += [(it.settled_at.is_not(None), it.settled_at)] if status is not DeliveryStatus.WAITING else []
        for these, at in parts:
            latest = query.where(these).order_by(at.desc(), it.order_id, it.sequence.desc())
            for row in await select_all(self._database, latest):
                delivery = delivery_of(row)
                found[delivery.key] = delivery
        by_order = sorted(found.values(), key=lambda one: (one.order_id, -one.sequence))
        return sorted(by_order, key=lambda one: one.settled_at or one.recorded_at, reverse=True)[:limit]

    async def summary(self) -> WebhookSummary:
        its = webhook_endpoints.c
        rows = await select_all(self._database, select(webhook_endpoints))
        enabled = [endpoint_of(row) for row in rows if row["status"] == "enabled"]
        disabled = [row for row in rows if row["status"] != "enabled"]
        async with self._database.reading() as connection:
            here = among(connection, it.endpoint_id, [one.id for one in enabled])
            waiting = select(func.count().label("many"), func.min(it.recorded_at).label("oldest")).where(
                UNSETTLED, here
            )
            unsettled = (await connection.execute(waiting)).one()
            of_known = it.endpoint_id.in_(select(its.id))
            failed = await connection.scalar(
                select(func.count()).select_from(webhook_deliveries).where(FAILED, of_known)
            )
        return WebhookSummary(
            backlog=Backlog(pending=unsettled.many, oldest=unsettled.oldest, failed=failed or 0),
            enabled=len(enabled),
            failing=sum(one.failures >= FAILING_AFTER for one in enabled),
            behind=sum(one.behind is not None for one in enabled),
            disabled=len(disabled),
            stopped=sum(row["reason"] != BY_OPERATOR for row in disabled),
        )

    async def delete_before(self, moment: datetime) -> int:
        key = tuple_(*webhook_deliveries.primary_key.columns)
        old = select(*webhook_deliveries.primary_key.columns).where(it.settled_at < moment).limit(DELETED_AT_ONCE)
        if not await self._database.rows(old.limit(1)):
            return 0
        async with self._database.writing() as connection:
            deleted = await connection.execute(delete(webhook_deliveries).where(key.in_(old)))
        return deleted.rowcount
