"""Compares webhook deliveries with the events of the log."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from ...domain.events import OrderCreated, OrderEvent
from ..event_log.records import LogRecord
from ..webhooks.delivery import DeliveryStatus, WebhookDelivery
from ..webhooks.endpoint import Endpoint
from ..webhooks.ports import Webhooks
from .report import Comparison

TRIES = 3
"""The number of times deliveries are read while their endpoints are being changed."""
MARGIN = timedelta(hours=1)
"""The time by which the clocks of processes may differ, and that lies between an event and its commit."""

Queue = tuple[str, str]
"""Order and endpoint."""


@frozen
class CheckWebhooks:
    """Checks that each event has its delivery at each endpoint that wants it, and that none is stuck.

    Of an order's deliveries at an endpoint that are not settled, the first is pending and the others wait; otherwise
    nothing would be sent. Settled deliveries are deleted after ``retention``, so missing ones of older events are no
    differences. Endpoints that are disabled or behind, and failed deliveries, are notes.
    """

    webhooks: Webhooks
    now: Callable[[], Awaitable[datetime]]
    retention: timedelta

    async def notes(self) -> Sequence[str]:
        """Return what is not sent, with the reason."""
        found = []
        for endpoint in await self.webhooks.endpoints():
            if not endpoint.enabled:
                found.append(
                    f"webhook endpoint {endpoint.id} is disabled ({endpoint.reason}); its events wait in the log"
                )
            elif endpoint.behind is not None:
                found.append(f"webhook endpoint {endpoint.id} is behind; its next events wait in the log")
        if failed := (await self.webhooks.summary()).backlog.failed:
            found.append(
                f"webhook deliveries that failed for good: {failed}; `orderflow webhooks deliveries` lists them"
            )
        return found

    async def compare(
        self, histories: Mapping[str, Sequence[tuple[LogRecord, OrderEvent]]], comparison: Comparison
    ) -> None:
        """Compare the deliveries of these events, which the consumer has handled."""
        for _ in range(TRIES):
            endpoints = await self.webhooks.endpoints()
            deliveries = await self.webhooks.of_orders(set(histories)) if endpoints else ()
            if endpoints == await self.webhooks.endpoints():
                break
        kept_since = await self.now() - self.retention + MARGIN
        queues: dict[Queue, list[WebhookDelivery]] = defaultdict(list)
        for delivery in deliveries:
            queues[delivery.order_id, delivery.endpoint_id].append(delivery)
        for order_id, history in histories.items():
            for endpoint in endpoints:
                queue = queues[order_id, endpoint.id]
                for sequence, problem in differences(endpoint, history, queue, kept_since):
                    comparison.differ(f"order {order_id}, event {sequence}, endpoint {endpoint.id}", problem)


def differences(
    endpoint: Endpoint,
    history: Sequence[tuple[LogRecord, OrderEvent]],
    queue: Sequence[WebhookDelivery],
    kept_since: datetime,
) -> Iterable[tuple[int, str]]:
    """Return what differs between the events of an order and its deliveries at ``endpoint``, with the sequences."""
    created = history[0][1] if history else None  # the only event cannot be decoded
    restaurant = created.restaurant_id if isinstance(created, OrderCreated) else None
    found = {delivery.sequence: delivery for delivery in queue}
    for record, event in history:
        at = record.bucket, record.position
        delivery = found.get(record.sequence)
        if delivery is not None:
            if (delivery.address, delivery.event_id) != (at, record.event_id):
                yield record.sequence, f"its delivery is of event {delivery.event_id} at {delivery.address}"
            if not endpoint.wants(record.type, restaurant):
                yield record.sequence, "it has a delivery, and the endpoint does not want it"
        elif (
            endpoint.wants(record.type, restaurant)
            and endpoint.began_before(*at)
            and endpoint.has_passed(*at)
            and event.occurred_at > kept_since
        ):
            yield record.sequence, "it has no delivery"
    unsettled = [delivery for delivery in queue if delivery.unsettled]
    for number, delivery in enumerate(unsettled):
        expected = DeliveryStatus.WAITING if number else DeliveryStatus.PENDING
        if delivery.status is not expected:
            yield delivery.sequence, f"its delivery is {delivery.status}, and should be {expected}"
