"""Webhook endpoints, secrets and deliveries as rows, and what a consumer's transaction does with them."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import asdict, frozen
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.event_log.records import Positions
from ...application.webhooks.delivery import DeliveryStatus, WebhookDelivery, queued
from ...application.webhooks.endpoint import Endpoint, EndpointStatus
from ...domain.errors import NotFound
from .bulk import Row, among, put
from .orders import orders
from .types import Identifier, Timestamp, metadata, partial_index

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Identifier, nullable=False),
    Column("url", Text, nullable=False),
    Column("types", JSON, nullable=False),
    Column("restaurants", JSON, nullable=False),
    Column("label", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    # Positions by bucket in JSON; NULL while the consumer records for it.
    Column("behind", Text),
    # The positions after which it began; NULL if an earlier release has added it.
    Column("begins", Text),
    Column("failures", Integer, nullable=False),
    Column("failing_since", Timestamp),
    Column("resume_at", Timestamp),
    Column("detail", Text, nullable=False),
    # The process that sends to it.
    Column("owner", Text),
    Column("owned_until", Timestamp),
    PrimaryKeyConstraint("id"),
)


webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("endpoint_id", Identifier, nullable=False),
    Column("secret", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("ends_at", Timestamp),
    PrimaryKeyConstraint("endpoint_id", "secret"),
)


webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("order_id", Identifier, nullable=False),
    Column("endpoint_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("recorded_at", Timestamp, nullable=False),
    Column("due_at", Timestamp, nullable=False),
    Column("failing_since", Timestamp),
    Column("settled_at", Timestamp),
    Column("code", Integer),
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("order_id", "endpoint_id", "sequence"),
)


it = webhook_deliveries.c
PENDING = text("status = 'pending'")
UNSETTLED = text("status IN ('pending', 'waiting')")
FAILED = text("status = 'failed'")


partial_index("webhook_deliveries_pending", it.endpoint_id, it.due_at, where=PENDING)
partial_index("webhook_deliveries_unsettled", it.order_id, it.endpoint_id, it.sequence, where=UNSETTLED)
partial_index("webhook_deliveries_waiting", it.endpoint_id, it.recorded_at, where=UNSETTLED)
partial_index("webhook_deliveries_settled", it.settled_at, where=text("settled_at IS NOT NULL"))
partial_index("webhook_deliveries_failed", it.endpoint_id, it.settled_at, where=FAILED)


HEALTH = ("failures", "failing_since", "resume_at", "detail")
"""The columns that say how an endpoint is doing."""


def row_of_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    return {**asdict(delivery, recurse=False), "status": delivery.status.value}


def delivery_of(row: Row) -> WebhookDelivery:
    return WebhookDelivery(**{**row, "status": DeliveryStatus(row["status"])})


def endpoint_of(row: Row) -> Endpoint:
    return Endpoint(
        **{name: row[name] for name in ("id", "url", "label", "reason", "created_at", *HEALTH)},
        types=tuple(row["types"]),
        restaurants=tuple(row["restaurants"]),
        status=EndpointStatus(row["status"]),
        behind=_positions(row["behind"]),
        begins=_positions(row["begins"]),
    )


def _positions(stored: str | None) -> Positions | None:
    return None if stored is None else {int(bucket): at for bucket, at in json.loads(stored).items()}


def row_of_state(endpoint: Endpoint) -> dict[str, Any]:
    """Return the columns that may change."""
    return {
        "status": endpoint.status.value,
        "reason": endpoint.reason,
        "behind": None if endpoint.behind is None else json.dumps(dict(endpoint.behind)),
        **{name: getattr(endpoint, name) for name in HEALTH},
    }


async def lock_queues(connection: AsyncConnection, queues: Collection[tuple[str, str]]) -> Collection[tuple[str, str]]:
    """Return those (order, endpoint) that have unsettled deliveries, and lock these until the transaction ends.

    Who records deliveries, and who settles them, lock them in the same order; so neither misses what the other does.
    """
    found = await connection.execute(
        select(it.order_id, it.endpoint_id)
        .where(UNSETTLED, *_within(connection, queues))
        .order_by(it.order_id, it.endpoint_id, it.sequence)
        .with_for_update()
    )
    return {(row.order_id, row.endpoint_id) for row in found}


async def promote(connection: AsyncConnection, queues: Collection[tuple[str, str]], now: datetime) -> None:
    """Make the first unsettled delivery of each of these (order, endpoint) pending, if it waits."""
    earlier = webhook_deliveries.alias("earlier")
    first = ~exists().where(
        text("earlier.status IN ('pending', 'waiting')"),
        earlier.c.order_id == it.order_id,
        earlier.c.endpoint_id == it.endpoint_id,
        earlier.c.sequence < it.sequence,
    )
    waiting = text("webhook_deliveries.status IN ('pending', 'waiting') AND webhook_deliveries.status = 'waiting'")
    await connection.execute(
        update(webhook_deliveries)
        .where(waiting, *_within(connection, queues), first)
        .values(status=DeliveryStatus.PENDING.value, due_at=now)
    )


def _within(connection: AsyncConnection, queues: Collection[tuple[str, str]]) -> tuple[ColumnElement[bool], ...]:
    """Build conditions that these (order, endpoint) fulfil, and few others."""
    return (
        among(connection, it.order_id, sorted({order_id for order_id, _ in queues})),
        among(connection, it.endpoint_id, sorted({endpoint_id for _, endpoint_id in queues})),
    )


async def restaurants_of(connection: AsyncConnection, order_ids: Collection[str]) -> Mapping[str, str]:
    found = await connection.execute(
        select(orders.c.id, orders.c.restaurant_id).where(among(connection, orders.c.id, order_ids))
    )
    return {row.id: row.restaurant_id for row in found}


@frozen
class SqlWebhookStore:
    _connection: AsyncConnection

    async def endpoints(self) -> Sequence[Endpoint]:
        found = await self._connection.execute(select(webhook_endpoints).order_by(webhook_endpoints.c.id))
        return [endpoint_of(row) for row in found.mappings()]

    async def get(self, endpoint_id: str) -> Endpoint:
        one = select(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id).with_for_update()
        row = (await self._connection.execute(one)).mappings().first()
        if row is None:
            raise NotFound("webhook endpoint", endpoint_id)
        return endpoint_of(row)

    async def add(self, endpoint: Endpoint, secret: str) -> None:
        constant = {name: getattr(endpoint, name) for name in ("id", "url", "label", "created_at")}
        begins = None if endpoint.begins is None else json.dumps(dict(endpoint.begins))
        filters = {"types": list(endpoint.types), "restaurants": list(endpoint.restaurants)}
        await self._connection.execute(
            insert(webhook_endpoints).values(**constant, **filters, begins=begins, **row_of_state(endpoint))
        )
        await self._connection.execute(
            insert(webhook_secrets).values(endpoint_id=endpoint.id, secret=secret, created_at=endpoint.created_at)
        )

    async def change(self, endpoint: Endpoint) -> None:
        this = update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint.id)
        await self._connection.execute(this.values(**row_of_state(endpoint)))

    async def remove(self, endpoint_id: str) -> None:
        await self._connection.execute(delete(webhook_deliveries).where(it.endpoint_id == endpoint_id, UNSETTLED))
        await self._connection.execute(delete(webhook_secrets).where(webhook_secrets.c.endpoint_id == endpoint_id))
        await self._connection.execute(delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id))

    async def restaurants(self, order_ids: Collection[str]) -> Mapping[str, str]:
        return await restaurants_of(self._connection, order_ids)

    async def record(self, deliveries: Sequence[WebhookDelivery], *, again: bool = False) -> None:
        if not deliveries:
            return
        queues = {(delivery.order_id, delivery.endpoint_id) for delivery in deliveries}
        held = await lock_queues(self._connection, queues)
        rows = [row_of_delivery(delivery) for delivery in queued(deliveries, held)]
        await put(self._connection, webhook_deliveries, rows, replace=again)
        await promote(self._connection, queues, deliveries[0].recorded_at)

    async def restart(self, endpoint_id: str, now: datetime) -> None:
        new = {"attempts": 0, "due_at": now, "failing_since": None, "code": None, "detail": ""}
        unsettled = update(webhook_deliveries).where(it.endpoint_id == endpoint_id, UNSETTLED)
        await self._connection.execute(unsettled.values(**new))

    async def forget(self, endpoint_id: str, *, after: Positions) -> None:
        unsettled = select(it.order_id, it.sequence, it.bucket, it.position).where(
            it.endpoint_id == endpoint_id, UNSETTLED
        )
        found = await self._connection.execute(unsettled)
        gone = [
            {"gone_order": row.order_id, "gone_sequence": row.sequence}
            for row in found
            if row.position > after.get(row.bucket, 0)
        ]
        if gone:
            this = it.order_id == bindparam("gone_order"), it.sequence == bindparam("gone_sequence")
            await self._connection.execute(delete(webhook_deliveries).where(it.endpoint_id == endpoint_id, *this), gone)
