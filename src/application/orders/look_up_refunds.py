"""Looking refunds up again that the gateway has reported as made: days later, one may have failed."""

import logging
from datetime import timedelta

from attrs import evolve, frozen

from ...domain.errors import GatewayUnavailable, OrderFlowError
from ..clock import Clock
from .gateway_calls import found_response
from .payment_attempts import AttemptKind, AttemptStatus, PaymentAttempt
from .ports import PaymentAttempts, PaymentGateway, UnitOfWork
from .retry import retry_on_conflict

AT_ONCE = 100
PAUSE = timedelta(minutes=15)
"""The time after which a look-up without a response is tried again."""

logger = logging.getLogger("orderflow.payments")


@frozen
class LookUpRefunds:
    """Looks up refunds that were made, at their due times, and records with their orders those that failed since.

    A refund that failed is declined then: the order says so in an event, and the refund can be requested again or
    settled by hand. The gateway is only asked, so a refund that is looked up twice, or by two processes, is recorded
    once.
    """

    attempts: PaymentAttempts
    gateway: PaymentGateway
    unit_of_work: UnitOfWork
    clock: Clock
    attempt_clock: Clock

    async def __call__(self) -> int:
        """Look up the refunds that are due, at most AT_ONCE, and return how many have failed.

        If the gateway does not respond, the rest waits for the next call. Raises StorageUnavailable.
        """
        failed = 0
        for refund in await self.attempts.refunds_due(self.attempt_clock(), limit=AT_ONCE):
            try:
                failed += await self._look_up(refund)
            except GatewayUnavailable as error:
                await self._record(evolve(refund, due_at=self.attempt_clock() + PAUSE))
                logger.info("a refund was not looked up", extra={"order_id": refund.order_id, "error": error.code})
                break
            except OrderFlowError:
                raise
            except Exception:
                # The gateway's adapter is wrong; the other refunds must not wait for this one.
                logger.exception("the payment gateway failed", extra={"order_id": refund.order_id})
                await self._record(evolve(refund, due_at=self.attempt_clock() + PAUSE))
        return failed

    async def one(self, order_id: str, key: str) -> bool:
        """Look up the refund of an order with that key if it was made, and return whether it has failed.

        Raises GatewayUnavailable, StorageUnavailable.
        """
        found = [a for a in await self.attempts.of_order(order_id) if a.key == key and a.may_fail]
        return any([await self._look_up(refund) for refund in found])

    async def _look_up(self, refund: PaymentAttempt) -> bool:
        request = self.gateway.find(kind=AttemptKind.REFUND, key=refund.key, reference=refund.reference)
        found = await found_response(request)
        now = self.attempt_clock()
        if found is None or found.approved or found.pending:
            if (later := refund.looked_up(now)) != refund:
                await self._record(later)
            return False
        return await self._record(refund.failed(found, now))

    async def _record(self, refund: PaymentAttempt) -> bool:
        """Store what is known about ``refund``, with its order if it failed, and return whether it did, once."""
        failed = refund.status is AttemptStatus.DECLINED

        async def attempt() -> bool:
            async with self.unit_of_work() as work:
                order = await work.orders.get(refund.order_id)
                # Read after the order: another process that has recorded it has changed the order, and this is refused.
                stored = {a.key: a for a in await self.attempts.of_order(refund.order_id)}
                if not stored[refund.key].may_fail:
                    return False
                if failed and refund.of_the_order and order.has_paid_back(refund.amount):
                    change = order.fail_refund(refund.amount, at=self.clock())
                    work.orders.save(change.order)
                    work.events.publish(*change.events)
                work.payments.record(refund)
            return failed

        recorded = await retry_on_conflict(attempt)
        if recorded:
            logger.error("a refund failed later", extra={"order_id": refund.order_id, "detail": refund.detail})
        return recorded
