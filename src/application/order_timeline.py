"""The story of one order."""

from collections.abc import Sequence

from attrs import frozen

from ..domain.lifecycle import Actor
from .get_order import GetOrder
from .log import Delivery
from .ports import Decode, EventLog


@frozen
class OrderTimeline:
    """All events of an order with their addresses in the log. Raises OrderNotFound, StorageUnavailable."""

    get_order: GetOrder
    log: EventLog
    decode: Decode

    async def __call__(self, order_id: str, *, by: Actor) -> Sequence[Delivery]:
        await self.get_order(order_id, by=by)
        return [Delivery(record, self.decode(record)) for record in await self.log.history(order_id)]
