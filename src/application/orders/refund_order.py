"""Refunding an order, or a part or a line of it."""

import logging
from decimal import Decimal

from attrs import frozen

from ...domain.actor import Actor
from ...domain.errors import InvalidInput, OrderFlowError
from ...domain.money import Money, total_of
from ...domain.order import Order
from ...domain.refund import RefundBearer
from ...domain.text import shown
from ..clock import Clock
from .change_order import ChangeOrder
from .idempotency import IdempotencyKey
from .settle_payments import SettlePayments

logger = logging.getLogger("orderflow.payments")


@frozen
class RefundOrder:
    """Asks for a refund of ``amount``, of the lines of one food, or of all that is left of the payment.

    The refund is stored in the order's own transaction and requested from the gateway right after it; if the gateway or
    the storage does not respond then, SettlePayments tries again later, with the same key: the command has succeeded,
    and a caller who repeated it would ask for another refund. The order that is returned asks for the refund; it is
    refunded when the gateway has said so. Cash is handed back by the caller, and recorded at once. Raises what
    ChangeOrder raises, and InvalidInput.
    """

    change_order: ChangeOrder
    settle_payments: SettlePayments
    clock: Clock

    async def __call__(
        self,
        order_id: str,
        reason: str,
        *,
        borne_by: RefundBearer,
        by: Actor,
        amount: Decimal | None = None,
        food_id: str | None = None,
        expected_version: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Order:
        change = await self.change_order(
            order_id,
            lambda order: order.request_refund(
                _amount(order, amount, food_id), reason, borne_by=borne_by, by=by, at=self.clock()
            ),
            by=by,
            expected_version=expected_version,
            idempotency=idempotency,
            also=self.settle_payments.store_refund,
        )
        if change.refund is not None:
            try:
                await self.settle_payments(order_id)
            except OrderFlowError as e:
                logger.warning("a refund is requested later", extra={"order_id": order_id, "error": e.code})
        return change.order


def _amount(order: Order, amount: Decimal | None, food_id: str | None) -> Money | None:
    """Return what to refund; None for all that is left. Raises InvalidInput."""
    given = None if amount is None else Money(amount, order.currency)
    if food_id is None:
        return given
    lines = [line.total for line in order.lines if line.food_id == food_id]
    if not lines:
        foods = ", ".join(dict.fromkeys(line.food_id for line in order.lines))
        raise InvalidInput("foodId", f"{shown(food_id)} is not in the order", foods)
    total = total_of(lines, order.currency)
    if given is not None and not given <= total:
        raise InvalidInput("amount", f"{given} is above the lines' {total}", f"at most {total}")
    return given or total
