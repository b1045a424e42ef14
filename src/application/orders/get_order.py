"""Reading one order."""

from collections.abc import Awaitable, Callable

from attrs import frozen

from ...domain.actor import Actor, check_actor
from ...domain.errors import OrderNotFound
from ...domain.order import Order


@frozen
class GetOrder:
    """Returns an order. Raises OrderNotFound, also if ``by`` has no part in the order; StorageUnavailable."""

    read: Callable[[str], Awaitable[Order]]

    async def __call__(self, order_id: str, *, by: Actor) -> Order:
        check_actor(by)
        order = await self.read(order_id)
        if not order.visible_to(by):
            raise OrderNotFound(order_id)
        return order
