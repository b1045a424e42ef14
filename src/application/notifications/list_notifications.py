"""Listing the notifications about an order."""

from collections.abc import Sequence

from attrs import frozen

from ...domain.actor import Actor, Role
from ..orders.get_order import GetOrder
from .notification import Notification
from .ports import Notifications


@frozen
class ListNotifications:
    """Returns the notifications about an order: to an admin all, to others those that they were sent themselves.

    Raises OrderNotFound, also if ``by`` has no part in the order; StorageUnavailable.
    """

    get_order: GetOrder
    notifications: Notifications

    async def __call__(self, order_id: str, *, by: Actor) -> Sequence[Notification]:
        order = await self.get_order(order_id, by=by)
        found = await self.notifications.of_orders([order.id])
        return [it for it in found if by.role is Role.ADMIN or it.recipient == str(by)]
