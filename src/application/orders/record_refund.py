"""Recording the gateway's outcome of a refund."""

import logging

from attrs import frozen

from ..clock import Clock
from .payment_attempts import AttemptStatus, PaymentAttempt
from .ports import PaymentAttempts, UnitOfWork
from .retry import retry_on_conflict

logger = logging.getLogger("orderflow.payments")


@frozen
class RecordRefund:
    """Records the outcome of a refund with its order, once, although others may ask for it at the same time."""

    unit_of_work: UnitOfWork
    attempts: PaymentAttempts
    clock: Clock

    async def __call__(self, refund: PaymentAttempt) -> None:
        made = refund.status is AttemptStatus.SUCCEEDED

        async def attempt() -> None:
            async with self.unit_of_work() as work:
                order = await work.orders.get(refund.order_id)
                # Read after the order: what has settled it since has changed the order, too, and this is refused.
                known = {a.key: a.status for a in await self.attempts.of_order(refund.order_id)}
                if known.get(refund.key) is not AttemptStatus.REQUESTED:
                    return
                if refund.of_the_order and order.awaits_refund(refund.amount):
                    change = order.answer_refund(refund.amount, made=made, at=self.clock())
                    work.orders.save(change.order)
                    work.events.publish(*change.events)
                work.payments.record(refund)

        await retry_on_conflict(attempt)
        if not made:
            logger.error("a refund was declined", extra={"order_id": refund.order_id, "detail": refund.detail})
