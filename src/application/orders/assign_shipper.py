"""Assigning a shipper."""

from attrs import frozen

from ...domain.actor import Actor
from ...domain.order import Order
from ..clock import Clock
from .change_order import ChangeOrder
from .idempotency import IdempotencyKey


@frozen
class AssignShipper:
    """Assigns a shipper to an order, or replaces it. Raises what ChangeOrder raises, and InvalidInput."""

    change_order: ChangeOrder
    clock: Clock

    async def __call__(
        self,
        order_id: str,
        shipper_id: str,
        *,
        by: Actor,
        expected_version: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Order:
        change = await self.change_order(
            order_id,
            lambda order: order.assign_shipper(shipper_id, by=by, at=self.clock()),
            by=by,
            claim=shipper_id,
            expected_version=expected_version,
            idempotency=idempotency,
        )
        return change.order
