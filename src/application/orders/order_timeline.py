"""The history of an order."""

from collections.abc import Sequence

from attrs import frozen

from ...domain.actor import Actor
from ..event_log.ports import Decode, EventLog
from ..event_log.records import Delivery
from .get_order import GetOrder


@frozen
class OrderTimeline:
    """Returns all events of an order, with their addresses in the log. Raises OrderNotFound, StorageUnavailable."""

    get_order: GetOrder
    log: EventLog
    decode: Decode

    async def __call__(self, order_id: str, *, by: Actor) -> Sequence[Delivery]:
        await self.get_order(order_id, by=by)
        return [Delivery(record, self.decode(record)) for record in await self.log.history(order_id)]
