"""The consumer *analytics*: how orders go, in figures."""

from collections.abc import Sequence

from attrs import frozen

from ..consuming.consumer import ConsumerTransaction
from ..event_log.records import Delivery
from .order_progress import OrderProgress, follow


@frozen
class Analyse:
    """Keeps the course of each order; the figures are read off the courses."""

    name: str = "analytics"

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        """Raises CorruptHistory when an event is missing before one of these."""
        before = await work.analytics.courses({delivery.record.order_id for delivery in deliveries})
        after: dict[str, OrderProgress] = dict(before)
        for delivery in deliveries:
            event = delivery.event
            after[event.order_id] = follow(after.get(event.order_id), event)
        await work.analytics.keep([course for order_id, course in after.items() if course is not before.get(order_id)])

    async def settle(self) -> int:
        """Nothing is asked for outside."""
        return 0
