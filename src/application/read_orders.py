"""Reading orders: one, a list, the story of one, and one as it was."""

from collections.abc import Sequence
from datetime import datetime

from attrs import evolve, frozen

from ..domain.errors import InvalidInput, OrderNotFound
from ..domain.history import OrderFacts, fold
from ..domain.lifecycle import Actor, Role
from ..domain.order import Order
from .log import Delivery
from .ports import Decode, EventLog, OrderViews
from .reading import OrderPage, OrderQuery


@frozen
class GetOrder:
    """Raises OrderNotFound, also when ``by`` takes no part in the order; StorageUnavailable."""

    views: OrderViews

    async def __call__(self, order_id: str, *, by: Actor) -> Order:
        order = await self.views.get(order_id)
        if not order.visible_to(by):
            raise OrderNotFound(order_id)
        return order


@frozen
class ListOrders:
    """Orders newest first. Everybody but an admin sees only those they take part in. Raises InvalidInput."""

    views: OrderViews

    async def __call__(self, query: OrderQuery, *, by: Actor) -> OrderPage:
        match by.role:
            case Role.CUSTOMER:
                query = evolve(query, customer_id=_own(query.customer_id, by))
            case Role.RESTAURANT:
                query = evolve(query, restaurant_id=_own(query.restaurant_id, by))
            case Role.SHIPPER:
                query = evolve(query, shipper_id=_own(query.shipper_id, by))
        return await self.views.list(query)


def _own(asked: str | None, by: Actor) -> str:
    if asked not in (None, by.id):
        raise InvalidInput(f"{by.role}Id", f"{asked!r} is not you", f"{by.id!r}, or leave it out")
    return by.id


@frozen
class OrderTimeline:
    """All events of an order with their addresses in the log. Raises OrderNotFound, StorageUnavailable."""

    get_order: GetOrder
    log: EventLog
    decode: Decode

    async def __call__(self, order_id: str, *, by: Actor) -> Sequence[Delivery]:
        await self.get_order(order_id, by=by)
        return [Delivery(record, self.decode(record)) for record in await self.log.history(order_id)]


@frozen
class OrderAsOf:
    """What an order's events told by ``moment`` (inclusive). Raises OrderNotFound, also before its creation."""

    timeline: OrderTimeline

    async def __call__(self, order_id: str, moment: datetime, *, by: Actor) -> OrderFacts:
        if moment.tzinfo is None:
            raise InvalidInput("asOf", f"{moment.isoformat()} has no zone", "RFC 3339 with a zone")
        deliveries = await self.timeline(order_id, by=by)
        until = [d.event for d in deliveries if d.event.occurred_at <= moment]
        if not until:
            raise OrderNotFound(order_id)
        return fold(until)
