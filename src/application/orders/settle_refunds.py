"""Requesting stored refunds from the gateway until it responds."""

from attrs import evolve, frozen

from ...domain.errors import GatewayUnavailable
from ..clock import Clock
from .payment_attempts import AttemptKind, AttemptStatus, PaymentAttempt
from .ports import PaymentAttempts, PaymentGateway, UnitOfWork


@frozen
class SettleRefunds:
    """Requests stored refunds, and returns how many were settled. One without a response is requested again later.

    An order that was paid outside the gateway has nothing captured there; its refund is recorded as declined, and a
    person has to resolve it. Raises StorageUnavailable.
    """

    attempts: PaymentAttempts
    gateway: PaymentGateway
    unit_of_work: UnitOfWork
    clock: Clock

    async def __call__(self, order_id: str | None = None) -> int:
        refunds = await self.attempts.unsettled_refunds() if order_id is None else await self._of(order_id)
        settled = 0
        for refund in refunds:
            try:
                outcome = await self._request(refund)
            except GatewayUnavailable as e:
                outcome = evolve(refund, detail=str(e))
            async with self.unit_of_work() as work:
                work.payments.record(outcome)
            settled += outcome.status is not AttemptStatus.REQUESTED
        return settled

    async def _of(self, order_id: str) -> list[PaymentAttempt]:
        attempts = await self.attempts.of_order(order_id)
        return [a for a in attempts if a.kind is AttemptKind.REFUND and a.status is AttemptStatus.REQUESTED]

    async def _request(self, refund: PaymentAttempt) -> PaymentAttempt:
        captured = [
            a
            for a in await self.attempts.of_order(refund.order_id)
            if a.kind is AttemptKind.CAPTURE and a.status is AttemptStatus.SUCCEEDED
        ]
        if not captured:
            return evolve(
                refund,
                status=AttemptStatus.DECLINED,
                detail="nothing was captured at the gateway; refund it where it was paid",
                settled_at=self.clock(),
            )
        response = await self.gateway.refund(capture=captured[-1].reference, amount=refund.amount, key=refund.key)
        return refund.settled(response, self.clock())
