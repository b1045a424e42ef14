"""Commands that must not call the payment gateway, because what they write may never be committed."""

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen

from ...domain.actor import Actor
from ...domain.errors import GuardFailed
from ...domain.lifecycle import next_states
from ...domain.order import Order


@frozen
class WithoutGateway:
    """Refuses ``command`` for an order that is paid by card; else calls it.

    A command that is given the outcome of the payment calls no gateway, and is not refused. Raises GuardFailed, and
    what ``command`` raises.
    """

    action: str
    command: Callable[..., Awaitable[Order]]
    read: Callable[[str], Awaitable[Order]]

    async def __call__(self, order_id: str, *args: Any, by: Actor, paid: bool | None = None, **given: Any) -> Order:
        order = await self.read(order_id)
        if order.payment.by_card and paid is None and order.visible_to(by):
            raise GuardFailed(
                order_id=order.id,
                action=self.action,
                state=order.state,
                allowed=tuple(next_states(order.state)),
                guard="it is paid by card, and the payment gateway is not called within another's transaction",
                unlock="call it on the OrderFlow itself, before the transaction or after its commit",
            )
        outcome = {} if paid is None else {"paid": paid}
        return await self.command(order_id, *args, by=by, **outcome, **given)
