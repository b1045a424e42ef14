"""Cancelling an order; a card payment is refunded."""

from functools import partial

from attrs import frozen

from ...domain.actor import Actor
from ...domain.order import Order
from ..clock import Clock
from .change_order import ChangeOrder
from .idempotency import IdempotencyKey
from .settle_payments import SettlePayments


@frozen
class CancelOrder:
    """Cancels an order. The refund is stored in the order's own transaction and requested right after it.

    A charge without a response is looked up at the gateway before the command ends, and refunded if it was captured.
    If the gateway does not respond, SettlePayments tries again later, with the same key. An authorization that was not
    captured is voided. The order that is returned asks for the refund; it is refunded when the gateway has said so.
    Raises what ChangeOrder raises, and InvalidInput.
    """

    change_order: ChangeOrder
    settle_payments: SettlePayments
    clock: Clock

    async def __call__(
        self,
        order_id: str,
        reason: str,
        *,
        by: Actor,
        expected_version: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Order:
        change = await self.change_order(
            order_id,
            lambda order: order.cancel(reason, by=by, at=self.clock()),
            by=by,
            expected_version=expected_version,
            idempotency=idempotency,
            also=partial(self.settle_payments.store_refund, cancelling=True),
        )
        if change.order.payment.by_card:
            await self.settle_payments(order_id)
            await self.settle_payments.void_open(order_id)
        return change.order
