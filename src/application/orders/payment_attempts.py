"""Attempts to move money through a gateway: stored before the call, so that none is lost or repeated."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from attrs import evolve, field, frozen
from attrs.validators import instance_of

from ...domain.events import PaymentProcessed
from ...domain.money import Money, total_of
from ...domain.payment import NO_REFUNDS, Payment, PaymentStatus
from ...domain.text import storable
from ..backoff import doubled

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=15)
ANSWERED_WITHIN = timedelta(minutes=1)
"""A charge whose request began less than this ago may still get its response; it is left to the request."""
CONFIRMED_WITHIN = timedelta(hours=1)
"""The time that a customer has to confirm a payment; then it is voided."""
GIVEN_UP_AFTER = timedelta(hours=24)
"""The time for which a charge that the gateway does not know is looked up."""
LOOKED_UP_AFTER = tuple(timedelta(days=days) for days in (1, 3, 7, 14, 30))
"""The times after which a refund that was made is looked up again, because it may have failed since."""

NEVER_RECEIVED = "the gateway never received the request"
RESENT_WITHIN = timedelta(hours=23)
"""The time for which an authorization is sent again with its key; gateways forget keys after a day, as Stripe does."""
MAX_TEXT = 1000
"""Characters that are kept of a gateway's reference or detail."""


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
    """An authorization that nothing will capture, and that the gateway declined to void."""
    RESOLVED = "resolved"
    """A declined refund that a person has paid back in another way, or a held authorization that was released."""
    REPEATED = "repeated"
    """A declined refund that was requested again, by another attempt."""


FINAL = (AttemptStatus.RESOLVED, AttemptStatus.REPEATED)
"""Decisions of a person about an outcome. A committer refuses another one about the same attempt."""
DECIDED = (AttemptStatus.HELD, *FINAL)
"""States that follow an outcome."""


@frozen
class GatewayResponse:
    """The gateway's response: its ``reference`` for the payment, and in ``detail`` why it was declined.

    A ``pending`` request is neither approved nor declined yet. A pending authorization waits for the customer, who
    confirms it with ``client_secret`` or at ``url``.
    """

    approved: bool = field(validator=instance_of(bool))
    reference: str = field(validator=instance_of(str))
    detail: str = field(default="", validator=instance_of(str))
    pending: bool = field(default=False, validator=instance_of(bool))
    client_secret: str = field(default="", repr=False, validator=instance_of(str))
    url: str = field(default="", repr=False, validator=instance_of(str))


@frozen
class GatewayEvent:
    """The order that an event of the gateway is about, and the key of the request, if it is about one."""

    order_id: str
    key: str = ""


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
    look-ups that got no response, and at ``due_at`` the next one is due. A refund that was made has
    a due time for LOOKED_UP_AFTER, because it may fail later.
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

    def stored_over(self, known: "PaymentAttempt | None") -> "PaymentAttempt":
        """Return what is stored of this attempt: requests at the same time may know less than what is stored.

        An outcome stays, and what a person or a void has made of it; a refund that failed stays declined. A reference
        is never lost.
        """
        if known is None:
            return self
        outdated = (
            self.status is AttemptStatus.REQUESTED
            or known.status in FINAL
            or (known.status in DECIDED and self.status not in DECIDED)
            or (self.may_fail and known.status is AttemptStatus.DECLINED)
        )
        if known.status is not AttemptStatus.REQUESTED and outdated:
            return known
        return self if self.reference else evolve(self, reference=known.reference)

    @property
    def of_the_order(self) -> bool:
        """True for a refund that the order asks for, not of a capture that the order did not take."""
        return self.kind is AttemptKind.REFUND and self.number == 0

    @property
    def may_fail(self) -> bool:
        """True for a refund that the gateway has reported as made, and may report as failed later."""
        return self.kind is AttemptKind.REFUND and self.status is AttemptStatus.SUCCEEDED

    @property
    def unconfirmed(self) -> bool:
        """True for an authorization that waits for the customer: the gateway knows it, and has no outcome."""
        return self.kind is AttemptKind.AUTHORIZE and self.status is AttemptStatus.REQUESTED and bool(self.reference)

    def is_authorization_of(self, attempt: "PaymentAttempt") -> bool:
        """Return whether this is the authorization that ``attempt``, a capture or a void, is about."""
        return (
            self.kind is AttemptKind.AUTHORIZE
            and attempt.kind in (AttemptKind.CAPTURE, AttemptKind.VOID)
            and self.number == attempt.number
        )

    def unanswered(self, detail: str, at: datetime) -> "PaymentAttempt":
        """Return this attempt after a request or look-up without a response."""
        pause = doubled(FIRST_PAUSE, LONGEST_PAUSE, self.tries)
        return evolve(self, tries=self.tries + 1, due_at=at + pause, detail=storable(detail, at_most=MAX_TEXT))

    def settled(self, response: GatewayResponse, at: datetime) -> "PaymentAttempt":
        """Return this attempt with the gateway's response; without an outcome if that is pending."""
        reference, detail = storable(response.reference, at_most=MAX_TEXT), storable(response.detail, at_most=MAX_TEXT)
        if response.pending:
            waits_for = "the customer" if self.kind is AttemptKind.AUTHORIZE else "the gateway"
            pending = self.unanswered(detail or f"it waits for {waits_for}", at)
            return evolve(pending, reference=reference)
        outcome = evolve(
            self,
            status=AttemptStatus.SUCCEEDED if response.approved else AttemptStatus.DECLINED,
            reference=reference,
            detail=detail,
            settled_at=at,
            due_at=None,
        )
        return outcome.looked_up(at) if outcome.may_fail else outcome

    def looked_up(self, at: datetime) -> "PaymentAttempt":
        """Return this refund, which was made, with the time at which it is looked up again; None after the last."""
        since = min(self.settled_at or at, at)  # a wrong clock may have settled it later than now
        times = (since + after for after in LOOKED_UP_AFTER)
        return evolve(self, due_at=next((time for time in times if time > at), None))

    def failed(self, response: GatewayResponse, at: datetime) -> "PaymentAttempt":
        """Return this refund, which was reported as made, as declined: ``response`` says that it failed."""
        why = storable(response.detail, at_most=MAX_TEXT) or "the gateway does not say why"
        detail = f"it failed after it was made: {why}"
        return evolve(self, status=AttemptStatus.DECLINED, detail=detail, settled_at=at, due_at=None)


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
    """Return the gateway's name of what ``attempt`` is about: an authorization or a capture; empty without one.

    An authorization keeps its name whatever became of it: what asks about its capture or void still needs it.
    """
    if attempt.kind is not AttemptKind.REFUND:
        return next((a.reference for a in attempts if a.is_authorization_of(attempt)), "")
    captures = [
        a.reference
        for a in attempts
        if a.kind is AttemptKind.CAPTURE
        and (attempt.of_the_order or a.number == attempt.number)
        and a.status is AttemptStatus.SUCCEEDED
    ]
    return captures[-1] if captures else ""


def open_authorizations(attempts: Sequence[PaymentAttempt]) -> Sequence[PaymentAttempt]:
    """Return the authorizations that are neither captured nor voided, nor about to be."""
    taken = {
        a.number
        for a in attempts
        if a.kind is AttemptKind.VOID or (a.kind is AttemptKind.CAPTURE and a.status is not AttemptStatus.DECLINED)
    }
    return [
        a
        for a in attempts
        if a.kind is AttemptKind.AUTHORIZE
        and a.number not in taken
        and (a.status is AttemptStatus.SUCCEEDED or a.unconfirmed)
    ]


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
