"""Attempts to move money through a gateway: stored before the call, so that none is lost or repeated."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from attrs import evolve, field, frozen

from ...domain.errors import GatewayUnavailable
from ...domain.events import PaymentProcessed
from ...domain.money import Money, total_of
from ...domain.payment import NO_REFUNDS, Payment, PaymentStatus

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=15)
ANSWERED_WITHIN = timedelta(minutes=1)
"""A charge whose request began less than this ago may still get its response; it is left to the request."""
RESPONSE_SECONDS = 30.0
"""The time that a gateway has for a response; less than ANSWERED_WITHIN, so that no call and look-up overlap."""
CONFIRMED_WITHIN = timedelta(hours=1)
"""The time that a customer has to confirm a payment; then it is voided."""
GIVEN_UP_AFTER = timedelta(hours=24)
"""The time for which a charge that the gateway does not know is looked up."""


T = TypeVar("T")


async def in_time(response: Awaitable[T], seconds: float = RESPONSE_SECONDS) -> T:
    """Return a gateway's response. Raises GatewayUnavailable if there is none in time, and what the gateway raises."""
    try:
        async with asyncio.timeout(seconds):
            return await response
    except TimeoutError:
        raise GatewayUnavailable("gateway", f"no response within {seconds:g} s") from None


class AttemptKind(StrEnum):
    """The call of the gateway."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"


class AttemptStatus(StrEnum):
    """The outcome of an attempt, as far as it is known."""

    REQUESTED = "requested"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    HELD = "held"
    """An authorization of a cancelled order that the gateway declined to void."""
    RESOLVED = "resolved"
    """A declined refund that a person has paid back in another way, or a held authorization that was released."""
    REPEATED = "repeated"
    """A declined refund that was requested again, by another attempt."""


@frozen
class GatewayResponse:
    """The gateway's response: its ``reference`` for the payment, and in ``detail`` why it was declined.

    A ``pending`` request is neither approved nor declined yet. A pending authorization waits for the customer, who
    confirms it with ``client_secret`` or at ``url``.
    """

    approved: bool
    reference: str
    detail: str = ""
    pending: bool = False
    client_secret: str = field(default="", repr=False)
    url: str = field(default="", repr=False)


@frozen(kw_only=True)
class GatewayPayment:
    """One payment in the gateway's own list. ``held`` is authorized and neither captured nor voided."""

    reference: str
    order_id: str
    created_at: datetime
    captured: Money
    refunded: Money
    held: bool = False


@frozen(kw_only=True)
class PaymentAttempt:
    """One call of a gateway. ``key`` is its idempotency key; while it is ``requested``, the outcome is unknown.

    ``reference`` is the gateway's own name of the authorization, capture or refund. ``tries`` counts the requests and
    look-ups that got no response, and at ``due_at`` the next one is due.
    """

    key: str
    order_id: str
    number: int
    kind: AttemptKind
    amount: Money
    requested_at: datetime
    status: AttemptStatus = AttemptStatus.REQUESTED
    reference: str = ""
    detail: str = ""
    settled_at: datetime | None = None
    tries: int = 0
    due_at: datetime | None = None

    @classmethod
    def follow_up(
        cls, attempt: "PaymentAttempt", kind: AttemptKind, at: datetime, *, wait: timedelta = timedelta(0)
    ) -> "PaymentAttempt":
        """Return what follows ``attempt`` in its round. It is looked up, or requested again, after ``wait``.

        That is the capture or void of an authorization, or the refund of a capture that the order did not take.
        """
        return cls(
            key=f"{attempt.order_id}:{kind}:{attempt.number}",
            order_id=attempt.order_id,
            number=attempt.number,
            kind=kind,
            amount=attempt.amount,
            requested_at=at,
            due_at=at + wait,
        )

    @classmethod
    def refund_for(cls, event: PaymentProcessed, at: datetime, *, cancelling: bool = False) -> "PaymentAttempt":
        """Return the refund that ``event`` of an order asks for."""
        return cls(
            key=f"{event.order_id}:refund" if cancelling else f"{event.order_id}:refund:event:{event.sequence}",
            order_id=event.order_id,
            number=0,
            kind=AttemptKind.REFUND,
            amount=event.amount,
            requested_at=at,
            due_at=at,
        )

    @property
    def of_the_order(self) -> bool:
        """True for a refund that the order asks for, not of a capture that the order did not take."""
        return self.kind is AttemptKind.REFUND and self.number == 0

    @property
    def unconfirmed(self) -> bool:
        """True for an authorization that waits for the customer: the gateway knows it, and has no outcome."""
        return self.kind is AttemptKind.AUTHORIZE and self.status is AttemptStatus.REQUESTED and bool(self.reference)

    def unanswered(self, detail: str, at: datetime) -> "PaymentAttempt":
        """Return this attempt after a request or look-up without a response."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(self.tries, 10)))
        return evolve(self, tries=self.tries + 1, due_at=at + pause, detail=detail)

    def settled(self, response: GatewayResponse, at: datetime) -> "PaymentAttempt":
        """Return this attempt with the gateway's response; without an outcome if that is pending."""
        if response.pending:
            waits_for = "the customer" if self.kind is AttemptKind.AUTHORIZE else "the gateway"
            pending = self.unanswered(response.detail or f"it waits for {waits_for}", at)
            return evolve(pending, reference=response.reference)
        return evolve(
            self,
            status=AttemptStatus.SUCCEEDED if response.approved else AttemptStatus.DECLINED,
            reference=response.reference,
            detail=response.detail,
            settled_at=at,
        )


@frozen(kw_only=True)
class OutstandingPayments:
    """Work that is left to a person or the gateway.

    ``unsettled`` attempts had no response to a request, or none for ANSWERED_WITHIN; the ``oldest`` was requested then.
    ``declined_refunds`` were declined by the gateway, so the money is still with us. ``held`` authorizations reserve
    money on the cards of cancelled orders.
    """

    unsettled: int = 0
    oldest: datetime | None = None
    declined_refunds: int = 0
    held: int = 0


def reference_for(attempt: PaymentAttempt, attempts: Sequence[PaymentAttempt]) -> str:
    """Return the gateway's name of what ``attempt`` is about: an authorization or a capture; empty without one."""
    before = AttemptKind.CAPTURE if attempt.kind is AttemptKind.REFUND else AttemptKind.AUTHORIZE
    found = [
        a.reference
        for a in attempts
        if a.kind is before
        and (attempt.of_the_order or a.number == attempt.number)
        and a.key != attempt.key
        and (a.status is AttemptStatus.SUCCEEDED or a.unconfirmed)
    ]
    return found[-1] if found else ""


def contradiction(payment: Payment, total: Money, attempts: Sequence[PaymentAttempt]) -> str | None:
    """Return what is wrong between the payment of an order and its ``attempts``; None if they agree.

    An order may have been paid outside the gateway.
    """
    captured = [a for a in attempts if a.kind is AttemptKind.CAPTURE and a.status is AttemptStatus.SUCCEEDED]
    refunds = [a for a in attempts if a.kind is AttemptKind.REFUND]
    if any(a.amount != total for a in attempts if a.kind is not AttemptKind.REFUND):
        return f"an attempt is not of the order's total {total}"
    if len(captured) > 1:
        return f"{len(captured)} payments were captured"
    if declined := next((a for a in refunds if a.status is AttemptStatus.DECLINED), None):
        return f"its refund was declined: {declined.detail}"
    live = [a for a in refunds if a.status is not AttemptStatus.REPEATED]
    if captured and payment.status not in (PaymentStatus.PAID, PaymentStatus.REFUNDED) and not live:
        return f"a payment was captured, but the order's payment is {payment.status} and nothing is refunded"
    if captured and payment.status is PaymentStatus.REFUNDED and not live:
        return "its payment is refunded, and no refund was requested"
    if payment.status is PaymentStatus.REFUNDED and payment.refunds == NO_REFUNDS:
        return None  # an earlier release recorded the refund when it was requested
    own = [a for a in live if a.of_the_order]
    requested = _sum(own, total, AttemptStatus.REQUESTED)
    if requested.amount != payment.refunds.requested:
        return f"it asks for a refund of {payment.refunds.requested}, and the gateway is asked for {requested}"
    made = _sum(own, total, AttemptStatus.SUCCEEDED, AttemptStatus.RESOLVED)
    if payment.by_card and made.amount != payment.refunds.paid_back:
        return f"{payment.refunds.paid_back} of it were refunded, but {made} at the gateway"
    return None


def _sum(attempts: Sequence[PaymentAttempt], total: Money, *statuses: AttemptStatus) -> Money:
    return total_of((a.amount for a in attempts if a.status in statuses), total.currency)
