"""Payment attempts in memory."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import frozen

from ...application.orders.payment_attempts import (
    ANSWERED_WITHIN,
    AttemptKind,
    AttemptStatus,
    OutstandingPayments,
    PaymentAttempt,
)


@frozen
class MemoryPaymentAttempts:
    attempts: Mapping[str, PaymentAttempt]

    async def of_order(self, order_id: str) -> Sequence[PaymentAttempt]:
        attempts = [a for a in self.attempts.values() if a.order_id == order_id]
        return sorted(attempts, key=lambda a: a.requested_at)

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[PaymentAttempt]:
        attempts = [a for a in self.attempts.values() if a.order_id in order_ids]
        return sorted(attempts, key=lambda a: a.requested_at)

    async def due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        waiting = (a for a in self.attempts.values() if a.status is AttemptStatus.REQUESTED)
        due = [(a.due_at or a.requested_at, a) for a in waiting]
        return [a for at, a in sorted(due, key=lambda it: it[0]) if at <= now][:limit]

    async def refunds_due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        due = [(a.due_at, a) for a in self.attempts.values() if a.may_fail and a.due_at is not None]
        return [a for at, a in sorted(due, key=lambda it: it[0]) if at <= now][:limit]

    async def outstanding(self, now: datetime) -> OutstandingPayments:
        found = await self.list_outstanding(now, limit=len(self.attempts))
        unsettled = [a.requested_at for a in found if a.status is AttemptStatus.REQUESTED]
        return OutstandingPayments(
            unsettled=len(unsettled),
            oldest=min(unsettled, default=None),
            declined_refunds=sum(a.status is AttemptStatus.DECLINED for a in found),
            held=sum(a.status is AttemptStatus.HELD for a in found),
        )

    async def list_outstanding(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        found = [
            a
            for a in self.attempts.values()
            if (
                a.status is AttemptStatus.REQUESTED
                and not a.unconfirmed
                and (a.tries or a.requested_at < now - ANSWERED_WITHIN)
            )
            or (a.status is AttemptStatus.DECLINED and a.kind is AttemptKind.REFUND)
            or a.status is AttemptStatus.HELD
        ]
        return sorted(found, key=lambda a: a.requested_at)[:limit]
