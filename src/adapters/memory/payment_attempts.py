"""Payment attempts in memory."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from attrs import field, frozen

from ...application.orders.payment_attempts import (
    ANSWERED_WITHIN,
    LONGEST_PAUSE,
    LOOKED_UP_AFTER,
    AttemptKind,
    AttemptStatus,
    OutstandingPayments,
    PaymentAttempt,
)
from .clock import due


@frozen
class MemoryPaymentAttempts:
    attempts: dict[str, PaymentAttempt] = field(factory=dict, init=False)

    async def of_order(self, order_id: str) -> Sequence[PaymentAttempt]:
        return await self.of_orders([order_id])

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[PaymentAttempt]:
        attempts = [a for a in self.attempts.values() if a.order_id in order_ids]
        return sorted(attempts, key=lambda a: a.requested_at)

    async def due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        waiting = (a for a in self.attempts.values() if a.status is AttemptStatus.REQUESTED)
        return _earliest_due(((a.due_at or a.requested_at, a) for a in waiting), now, LONGEST_PAUSE)[:limit]

    async def refunds_due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        made = ((a.due_at, a) for a in self.attempts.values() if a.may_fail and a.due_at is not None)
        return _earliest_due(made, now, LOOKED_UP_AFTER[-1])[:limit]

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


def _earliest_due(
    attempts: Iterable[tuple[datetime, PaymentAttempt]], now: datetime, longest: timedelta
) -> Sequence[PaymentAttempt]:
    """Return those that are due, the earliest first; ``longest`` is the longest time to wait for one."""
    return [a for at, a in sorted(attempts, key=lambda it: it[0]) if due(at, now, now + longest)]
