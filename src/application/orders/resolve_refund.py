"""Recording that a declined refund was paid back in another way, or that a held authorization was released."""

from collections.abc import Sequence

from attrs import evolve, frozen

from ...domain.errors import NotFound
from ..clock import Clock
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from .payment_attempts import AttemptKind, AttemptStatus, PaymentAttempt
from .ports import PaymentAttempts, UnitOfWork


@frozen
class ResolveRefund:
    """Records that a person paid the declined refunds of an order back, or released its held authorizations.

    The note enters the maintenance log. Raises InvalidInput for a blank name or reason, NotFound if there is neither,
    StorageUnavailable.
    """

    attempts: PaymentAttempts
    unit_of_work: UnitOfWork
    maintenance_log: MaintenanceLog
    clock: Clock

    async def __call__(self, order_id: str, *, by: str, reason: str) -> Sequence[PaymentAttempt]:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        resolved = [
            evolve(a, status=AttemptStatus.RESOLVED, settled_at=note.at)
            for a in await self.attempts.of_order(order_id)
            if a.status is AttemptStatus.HELD or (a.kind is AttemptKind.REFUND and a.status is AttemptStatus.DECLINED)
        ]
        if not resolved:
            raise NotFound("declined refund or held authorization of order", order_id)
        async with self.unit_of_work() as work:
            for attempt in resolved:
                work.payments.record(attempt)
        detail = f"{resolved[-1].kind} of {resolved[-1].amount} for order {order_id} resolved"
        await self.maintenance_log.record(MaintenanceEntry(kind=MaintenanceKind.REFUND, note=note, detail=detail))
        return resolved
