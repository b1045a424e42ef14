"""Compares the payment gateway's own list of payments with the attempts."""

from collections.abc import Sequence
from datetime import timedelta

from attrs import frozen

from ...domain.errors import GatewayUnavailable
from ...domain.money import Money, total_of
from ..clock import Clock
from ..orders.gateway_calls import listed_payments
from ..orders.payment_attempts import AttemptKind, AttemptStatus, GatewayPayment, PaymentAttempt
from ..orders.ports import PaymentAttempts, PaymentGateway
from .payments import attempts_by_order
from .report import CheckReport, Comparison

PAGE = 100


@frozen
class CheckGateway:
    """Checks that an attempt is behind each payment that the gateway has created lately, and that amounts agree.

    A payment whose order has attempts without an outcome is not compared. Raises GatewayUnavailable, after the report
    says that the comparison was not made, and StorageUnavailable.
    """

    attempts: PaymentAttempts
    gateway: PaymentGateway
    clock: Clock

    async def __call__(self, report: CheckReport, *, days: int) -> None:
        comparison = report.start("the gateway's payments fit the attempts", "payments")
        since = self.clock() - timedelta(days=days)
        page: list[GatewayPayment] = []
        try:
            async for payment in listed_payments(self.gateway, since):
                page.append(payment)
                if len(page) == PAGE:
                    await self._compare(page, comparison)
                    page = []
        except GatewayUnavailable as error:
            comparison.skipped = str(error)
            raise
        await self._compare(page, comparison)

    async def _compare(self, payments: Sequence[GatewayPayment], comparison: Comparison) -> None:
        attempts = await attempts_by_order(self.attempts, {payment.order_id for payment in payments})
        for payment in payments:
            comparison.compared += 1
            if problem := difference(payment, attempts.get(payment.order_id, ())):
                comparison.differ(f"payment {payment.reference} of order {payment.order_id}", problem)


def difference(payment: GatewayPayment, attempts: Sequence[PaymentAttempt]) -> str | None:
    """Return how a payment differs from the ``attempts`` of its order; None if it does not."""
    if any(a.status is AttemptStatus.REQUESTED for a in attempts):
        return None
    known = {a.number: a for a in attempts if a.kind is AttemptKind.AUTHORIZE and a.reference == payment.reference}
    if not known:
        return "is at the gateway, and no attempt knows it"
    [number] = known
    captures = [a for a in attempts if a.kind is AttemptKind.CAPTURE and a.status is AttemptStatus.SUCCEEDED]
    captured = _sum([a for a in captures if a.number == number], payment.captured)
    if captured != payment.captured:
        return f"the gateway has captured {payment.captured}, and the attempts {captured}"
    own = bool(captures) and captures[-1].number == number
    refunds = [
        a
        for a in attempts
        if a.kind is AttemptKind.REFUND
        and a.status is AttemptStatus.SUCCEEDED
        and (a.number == number or (a.of_the_order and own))
    ]
    if (refunded := _sum(refunds, payment.refunded)) != payment.refunded:
        return f"the gateway has refunded {payment.refunded}, and the attempts {refunded}"
    voided = any(a.kind is AttemptKind.VOID and a.number == number for a in attempts)
    if payment.held and voided and known[number].status is not AttemptStatus.HELD:
        return "the gateway still holds what was voided"
    return None


def _sum(attempts: Sequence[PaymentAttempt], like: Money) -> Money:
    return total_of((a.amount for a in attempts), like.currency)
