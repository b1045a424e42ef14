"""Reading one order."""

from attrs import frozen

from ...domain.actor import Actor, check_actor
from ...domain.errors import OrderNotFound
from ...domain.order import Order
from .ports import OrderQueries


@frozen
class GetOrder:
    """Returns an order. Raises OrderNotFound, also if ``by`` has no part in the order; StorageUnavailable."""

    views: OrderQueries

    async def __call__(self, order_id: str, *, by: Actor) -> Order:
        check_actor(by)
        order = await self.views.get(order_id)
        if not order.visible_to(by):
            raise OrderNotFound(order_id)
        return order
