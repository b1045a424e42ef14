"""An order at an earlier time."""

from datetime import datetime

from attrs import frozen

from ...domain.actor import Actor
from ...domain.errors import OrderNotFound
from ...domain.history import OrderFacts, fold
from ...domain.validation import utc
from .order_timeline import OrderTimeline


@frozen
class OrderAsOf:
    """Returns the order by its events up to ``moment``, inclusive. Raises OrderNotFound, also before its creation."""

    timeline: OrderTimeline

    async def __call__(self, order_id: str, moment: datetime, *, by: Actor) -> OrderFacts:
        moment = utc(moment, field="asOf")
        deliveries = await self.timeline(order_id, by=by)
        until = [d.event for d in deliveries if d.event.occurred_at <= moment]
        if not until:
            raise OrderNotFound(order_id)
        return fold(until)
