"""Operators' decisions about declined refunds: they were paid back in another way, or are to be requested again."""

from collections.abc import Sequence
from datetime import datetime

from attrs import evolve, frozen

from ...domain.errors import NotFound
from ...domain.order import Change
from ..clock import Clock
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from .payment_attempts import AttemptKind, AttemptStatus, PaymentAttempt
from .ports import PaymentAttempts, Transaction, UnitOfWork
from .retry import retry_on_conflict
from .settle_payments import CASHIER, SettlePayments


@frozen
class ResolveRefund:
    """Records that a person paid the declined refunds of an order back, or released its held authorizations.

    The order is refunded then. The note enters the maintenance log. Raises InvalidInput for a blank name or reason,
    NotFound if there is neither, OrderNotFound, StorageUnavailable.
    """

    attempts: PaymentAttempts
    unit_of_work: UnitOfWork
    maintenance_log: MaintenanceLog
    clock: Clock

    async def __call__(self, order_id: str, *, by: str, reason: str) -> Sequence[PaymentAttempt]:
        note = OperatorNote(by=by, reason=reason, at=self.clock())

        async def attempt() -> Sequence[PaymentAttempt]:
            async with self.unit_of_work() as work:
                order = await work.orders.get(order_id)
                found = [
                    a
                    for a in await self.attempts.of_order(order_id)
                    if a.status is AttemptStatus.HELD or _is_declined_refund(a)
                ]
                if not found:
                    raise NotFound("declined refund or held authorization of order", order_id)
                if order.payment.refunds.declined:
                    _save(work, order.settle_refunds(by=CASHIER, at=note.at))
                resolved = [evolve(a, status=AttemptStatus.RESOLVED, settled_at=note.at) for a in found]
                for each in resolved:
                    work.payments.record(each)
            return resolved

        resolved = await retry_on_conflict(attempt)
        detail = f"{resolved[-1].kind} of {resolved[-1].amount} for order {order_id} resolved"
        await self.maintenance_log.record(MaintenanceEntry(kind=MaintenanceKind.REFUND, note=note, detail=detail))
        return resolved


@frozen
class RepeatRefund:
    """Requests the declined refunds of an order again, as one refund with a key of its own.

    The note enters the maintenance log. Raises InvalidInput for a blank name or reason, NotFound if no refund was
    declined, OrderNotFound, StorageUnavailable.
    """

    attempts: PaymentAttempts
    unit_of_work: UnitOfWork
    maintenance_log: MaintenanceLog
    settle_payments: SettlePayments
    clock: Clock

    async def __call__(self, order_id: str, *, by: str, reason: str) -> Sequence[PaymentAttempt]:
        """Return the refunds that were requested, with their outcome if the gateway has responded."""
        note = OperatorNote(by=by, reason=reason, at=self.clock())

        async def attempt() -> Sequence[PaymentAttempt]:
            async with self.unit_of_work() as work:
                order = await work.orders.get(order_id)
                declined = [a for a in await self.attempts.of_order(order_id) if _is_declined_refund(a)]
                if not declined:
                    raise NotFound("declined refund of order", order_id)
                now = self.settle_payments.attempt_clock()
                repeated: list[PaymentAttempt] = []
                own = bool(order.payment.refunds.declined)
                if own:
                    change = order.repeat_refunds(by=CASHIER, at=note.at)
                    _save(work, change)
                    repeated += [PaymentAttempt.refund_for(refund, now) for refund in [change.refund] if refund]
                repeated += [_again(a, now) for a in declined if not (own and a.of_the_order)]
                for each in (*(evolve(a, status=AttemptStatus.REPEATED) for a in declined), *repeated):
                    work.payments.record(each)
            return repeated

        repeated = await retry_on_conflict(attempt)
        detail = f"refund of {repeated[-1].amount} for order {order_id} requested again"
        await self.maintenance_log.record(MaintenanceEntry(kind=MaintenanceKind.REFUND, note=note, detail=detail))
        await self.settle_payments(order_id)
        keys = {a.key for a in repeated}
        return [a for a in await self.attempts.of_order(order_id) if a.key in keys]


def _is_declined_refund(attempt: PaymentAttempt) -> bool:
    return attempt.kind is AttemptKind.REFUND and attempt.status is AttemptStatus.DECLINED


def _again(declined: PaymentAttempt, now: datetime) -> PaymentAttempt:
    return PaymentAttempt(
        key=f"{declined.key}:again",
        order_id=declined.order_id,
        number=declined.number,
        kind=declined.kind,
        amount=declined.amount,
        requested_at=now,
        due_at=now,
    )


def _save(work: Transaction, change: Change) -> None:
    work.orders.save(change.order)
    work.events.publish(*change.events)
