"""The consumer *analytics*, which keeps the progress of each order."""

from collections.abc import Sequence

from attrs import frozen

from ..event_log.records import Delivery
from .order_progress import AnalyticsResult, OrderProgress, ProgressChange, follow
from .ports import AnalyticsTransaction


@frozen
class Analyse:
    """Keeps the progress of each order. All figures are computed from it."""

    name: str = "analytics"

    async def handle(self, deliveries: Sequence[Delivery], work: AnalyticsTransaction) -> AnalyticsResult:
        """Apply the events. Raises CorruptHistory if an event before one of these is missing."""
        before = await work.analytics.progress({delivery.record.order_id for delivery in deliveries})
        after: dict[str, OrderProgress] = dict(before)
        for delivery in deliveries:
            event = delivery.event
            after[event.order_id] = follow(after.get(event.order_id), event)
        pairs = ((before.get(order_id), progress) for order_id, progress in after.items())
        changes = tuple(ProgressChange(old, new) for old, new in pairs if new is not old)
        await work.analytics.keep([change.after for change in changes])
        return AnalyticsResult(changes)

    async def settle(self) -> int:
        """Return 0: analytics has no effects outside the database."""
        return 0
