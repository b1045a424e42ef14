"""Moving an order to its next state."""

from datetime import timedelta

from attrs import frozen

from ...domain.actor import Actor
from ...domain.lifecycle import OrderState
from ...domain.order import DEFAULT_ESTIMATE, Order
from ..clock import Clock
from .cancel_order import CancelOrder
from .change_order import ChangeOrder
from .idempotency import IdempotencyKey

CLAIMS = (OrderState.PREPARING, OrderState.ON_THE_WAY)
"""The states to which a shipper may bring an order that it takes for itself in the same request."""


@frozen
class TransitionOrderState:
    """Moves an order by the transition table; CancelOrder cancels. Raises what ChangeOrder raises, and InvalidInput."""

    change_order: ChangeOrder
    cancel_order: CancelOrder
    clock: Clock
    estimate: timedelta = DEFAULT_ESTIMATE

    async def __call__(
        self,
        order_id: str,
        target: OrderState,
        *,
        by: Actor,
        shipper_id: str | None = None,
        reason: str | None = None,
        expected_version: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Order:
        if target is OrderState.CANCELLED:
            return await self.cancel_order(
                order_id, reason or "", by=by, expected_version=expected_version, idempotency=idempotency
            )
        change = await self.change_order(
            order_id,
            lambda order: order.transition_to(
                target, by=by, at=self.clock(), shipper_id=shipper_id, reason=reason, estimate=self.estimate
            ),
            by=by,
            claim=shipper_id if target in CLAIMS else None,
            expected_version=expected_version,
            idempotency=idempotency,
        )
        return change.order
