"""Webhook endpoints, secrets and deliveries in memory."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import evolve, field, frozen

from ...application.backlog import Backlog
from ...application.event_log.records import Positions
from ...application.orders.ports import OrderQueries
from ...application.webhooks.delivery import LONGEST_PAUSE, DeliveryKey, DeliveryStatus, WebhookDelivery
from ...application.webhooks.endpoint import BY_OPERATOR, Endpoint
from ...application.webhooks.ports import DELETED_AT_ONCE, WebhookSummary
from ...domain.errors import NotFound
from .clock import due
from .overlay import Overlay

Queue = tuple[str, str]
"""Order and endpoint."""
Secret = tuple[str, datetime | None]
"""A secret, and when it ends."""


@frozen
class MemoryWebhookState:
    """The stored data. ``queues`` are the sequences of the unsettled deliveries of each order at each endpoint."""

    orders: OrderQueries | None = None
    endpoints: dict[str, Endpoint] = field(factory=dict)
    secrets: dict[str, tuple[Secret, ...]] = field(factory=dict)
    owners: dict[str, tuple[str, datetime]] = field(factory=dict)
    deliveries: dict[DeliveryKey, WebhookDelivery] = field(factory=dict)
    queues: dict[Queue, tuple[int, ...]] = field(factory=dict)


class MemoryWebhookStore:
    def __init__(self, state: MemoryWebhookState) -> None:
        self._orders = state.orders
        self._endpoints = Overlay(state.endpoints)
        self._secrets = Overlay(state.secrets)
        self._deliveries = Overlay(state.deliveries)
        self._queues = Overlay(state.queues)

    async def endpoints(self) -> Sequence[Endpoint]:
        found = self._endpoints.all()
        return [found[endpoint_id] for endpoint_id in sorted(found)]

    async def get(self, endpoint_id: str) -> Endpoint:
        if (endpoint := self._endpoints.get(endpoint_id)) is None:
            raise NotFound("webhook endpoint", endpoint_id)
        return endpoint

    async def add(self, endpoint: Endpoint, secret: str) -> None:
        self._endpoints.put(endpoint.id, endpoint)
        self._secrets.put(endpoint.id, ((secret, None),))

    async def change(self, endpoint: Endpoint) -> None:
        self._endpoints.put(endpoint.id, endpoint)

    async def remove(self, endpoint_id: str) -> None:
        for key in self._unsettled(endpoint_id):
            self._drop(key)
        self._endpoints.drop(endpoint_id)
        self._secrets.drop(endpoint_id)

    async def restaurants(self, order_ids: Collection[str]) -> Mapping[str, str]:
        return await restaurants_of(self._orders, order_ids)

    async def record(self, deliveries: Sequence[WebhookDelivery], *, again: bool = False) -> None:
        for delivery in deliveries:
            if again or self._deliveries.get(delivery.key) is None:
                self.put(delivery)

    async def restart(self, endpoint_id: str, now: datetime) -> None:
        for key in self._unsettled(endpoint_id):
            if (delivery := self._deliveries.get(key)) is not None:
                self.put(delivery.again(now))

    async def forget(self, endpoint_id: str, *, after: Positions) -> None:
        for key in self._unsettled(endpoint_id):
            delivery = self._deliveries.get(key)
            if delivery is not None and delivery.position > after.get(delivery.bucket, 0):
                self._drop(key)

    def put(self, delivery: WebhookDelivery) -> None:
        """Store ``delivery``, and its place in the queue of its order at its endpoint."""
        queue = delivery.order_id, delivery.endpoint_id
        others = {it for it in self._queues.get(queue) or () if it != delivery.sequence}
        self._deliveries.put(delivery.key, delivery)
        self._requeue(queue, others | {delivery.sequence} if delivery.unsettled else others)

    def commit(self) -> None:
        for overlay in (self._endpoints, self._secrets, self._deliveries, self._queues):
            overlay.keep()

    def _unsettled(self, endpoint_id: str) -> Sequence[DeliveryKey]:
        queues = self._queues.all().items()
        return [DeliveryKey(*queue, it) for queue, sequences in queues if queue[1] == endpoint_id for it in sequences]

    def _drop(self, key: DeliveryKey) -> None:
        self._deliveries.drop(key)
        queue = key.order_id, key.endpoint_id
        self._requeue(queue, {it for it in self._queues.get(queue) or () if it != key.sequence})

    def _requeue(self, queue: Queue, sequences: Collection[int]) -> None:
        """Store the queue: its first delivery is pending, the others wait."""
        if sequences:
            self._queues.put(queue, tuple(sorted(sequences)))
        else:
            self._queues.drop(queue)
        for number, sequence in enumerate(sorted(sequences)):
            key = DeliveryKey(*queue, sequence)
            status = DeliveryStatus.WAITING if number else DeliveryStatus.PENDING
            if (delivery := self._deliveries.get(key)) is not None and delivery.status is not status:
                self._deliveries.put(key, evolve(delivery, status=status))


async def restaurants_of(orders: OrderQueries | None, order_ids: Collection[str]) -> Mapping[str, str]:
    found = {} if orders is None else await orders.get_all(order_ids)
    return {order_id: order.restaurant_id for order_id, order in found.items()}


@frozen
class MemoryWebhooks:
    _state: MemoryWebhookState
    _lock: asyncio.Lock

    async def endpoints(self) -> Sequence[Endpoint]:
        return [self._state.endpoints[endpoint_id] for endpoint_id in sorted(self._state.endpoints)]

    async def get(self, endpoint_id: str) -> Endpoint:
        if endpoint_id not in self._state.endpoints:
            raise NotFound("webhook endpoint", endpoint_id)
        return self._state.endpoints[endpoint_id]

    async def own(self, owner: str, *, now: datetime, until: datetime) -> Sequence[Endpoint]:
        owners, found = self._state.owners, []
        for endpoint in await self.endpoints():
            other, ends = owners.get(endpoint.id, (owner, now))
            if endpoint.enabled and (other == owner or due(ends, now, until)):
                owners[endpoint.id] = (owner, until)
                found.append(endpoint)
        return found

    async def disown(self, owner: str) -> None:
        for endpoint_id in [it for it, (other, _) in self._state.owners.items() if other == owner]:
            del self._state.owners[endpoint_id]

    async def secrets(self, endpoint_ids: Collection[str], now: datetime) -> Mapping[str, Sequence[str]]:
        stored = self._state.secrets
        return {
            endpoint_id: [secret for secret, ends in stored.get(endpoint_id, ()) if ends is None or ends > now]
            for endpoint_id in endpoint_ids
        }

    async def rotate(self, endpoint_id: str, secret: str, *, now: datetime, until: datetime) -> None:
        await self.get(endpoint_id)
        [(latest, _), *_] = self._state.secrets[endpoint_id]
        self._state.secrets[endpoint_id] = ((secret, None), (latest, until))

    async def due(self, wanted: Mapping[str, int], now: datetime) -> Sequence[WebhookDelivery]:
        found: dict[str, list[WebhookDelivery]] = {endpoint_id: [] for endpoint_id in wanted}
        for queue, sequences in self._state.queues.items():
            if queue[1] in found:
                first = self._state.deliveries[DeliveryKey(*queue, sequences[0])]
                if due(first.due_at, now, now + LONGEST_PAUSE):
                    found[queue[1]].append(first)
        return [
            delivery
            for endpoint_id, deliveries in found.items()
            for delivery in sorted(deliveries, key=lambda it: it.due_at)[: wanted[endpoint_id]]
        ]

    async def settle(self, deliveries: Sequence[WebhookDelivery], endpoints: Sequence[Endpoint], now: datetime) -> None:
        async with self._lock:
            store = MemoryWebhookStore(self._state)
            for delivery in deliveries:
                stored = self._state.deliveries.get(delivery.key)
                if stored is not None and stored.status is DeliveryStatus.PENDING:
                    store.put(delivery)
            for it in endpoints:
                if (known := self._state.endpoints.get(it.id)) is not None:
                    changed = evolve(
                        known,
                        failures=it.failures,
                        failing_since=it.failing_since,
                        resume_at=it.resume_at,
                        detail=it.detail,
                    )
                    await store.change(changed)
            store.commit()

    async def resend(self, deliveries: Sequence[WebhookDelivery]) -> None:
        async with self._lock:
            store = MemoryWebhookStore(self._state)
            for delivery in deliveries:
                store.put(delivery)
            store.commit()

    async def restaurants(self, order_ids: Collection[str]) -> Mapping[str, str]:
        return await restaurants_of(self._state.orders, order_ids)

    async def find(self, keys: Collection[DeliveryKey]) -> Sequence[WebhookDelivery]:
        return [self._state.deliveries[key] for key in keys if key in self._state.deliveries]

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[WebhookDelivery]:
        found = (it for it in self._state.deliveries.values() if it.order_id in order_ids)
        return sorted(found, key=lambda it: it.key)

    async def unsettled(self, endpoint_id: str, *, at_most: int) -> int:
        number = sum(len(it) for queue, it in self._state.queues.items() if queue[1] == endpoint_id)
        return min(number, at_most + 1)

    async def list(
        self,
        endpoint_id: str,
        *,
        status: DeliveryStatus | None = None,
        order_id: str | None = None,
        limit: int,
    ) -> Sequence[WebhookDelivery]:
        found = [
            it
            for it in self._state.deliveries.values()
            if it.endpoint_id == endpoint_id and status in (None, it.status) and order_id in (None, it.order_id)
        ]
        if status is DeliveryStatus.PENDING:
            return sorted(found, key=lambda it: (it.due_at, it.order_id, it.sequence))[:limit]
        by_order = sorted(found, key=lambda it: (it.order_id, -it.sequence))
        return sorted(by_order, key=lambda it: it.settled_at or it.recorded_at, reverse=True)[:limit]

    async def summary(self) -> WebhookSummary:
        endpoints = self._state.endpoints.values()
        enabled = {it.id for it in endpoints if it.enabled}
        waiting = [
            self._state.deliveries[DeliveryKey(*queue, it)].recorded_at
            for queue, sequences in self._state.queues.items()
            if queue[1] in enabled
            for it in sequences
        ]
        failed = [
            it
            for it in self._state.deliveries.values()
            if it.status is DeliveryStatus.FAILED and it.endpoint_id in self._state.endpoints
        ]
        return WebhookSummary(
            backlog=Backlog(pending=len(waiting), oldest=min(waiting, default=None), failed=len(failed)),
            enabled=len(enabled),
            failing=sum(it.enabled and it.failing for it in endpoints),
            behind=sum(it.enabled and it.behind is not None for it in endpoints),
            disabled=sum(not it.enabled for it in endpoints),
            stopped=sum(not it.enabled and it.reason != BY_OPERATOR for it in endpoints),
        )

    async def delete_before(self, moment: datetime) -> int:
        async with self._lock:
            settled = (it for it in self._state.deliveries.values() if it.settled_at and it.settled_at < moment)
            old = [it.key for it, _ in zip(settled, range(DELETED_AT_ONCE), strict=False)]
            for key in old:
                del self._state.deliveries[key]
        return len(old)
