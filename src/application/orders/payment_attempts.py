"""Attempts to move money through a gateway: stored before the call, so that none is lost or repeated."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from attrs import evolve, frozen

from ...domain.errors import GatewayUnavailable
from ...domain.money import Money
from ...domain.payment import PaymentStatus

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=15)
ANSWERED_WITHIN = timedelta(minutes=1)
"""A charge whose request began less than this ago may still get its response; it is left to the request."""
RESPONSE_SECONDS = 30.0
"""The time that a gateway has for a response; less than ANSWERED_WITHIN, so that no call and look-up overlap."""
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


class AttemptStatus(StrEnum):
    """The outcome of an attempt, as far as it is known."""

    REQUESTED = "requested"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    HELD = "held"
    """An authorization that succeeded and is not captured, of an order that is cancelled."""
    RESOLVED = "resolved"
    """A declined refund that a person has paid back in another way, or a held authorization that was released."""


@frozen
class GatewayResponse:
    """The gateway's response: its ``reference`` for the payment, and in ``detail`` why it was declined."""

    approved: bool
    reference: str
    detail: str = ""


@frozen(kw_only=True)
class PaymentAttempt:
    """One call of a gateway. ``key`` is its idempotency key; while it is ``requested``, the outcome is unknown.

    ``reference`` is the gateway's own name of the authorization or capture. ``tries`` counts the requests and look-ups
    that got no response, and at ``due_at`` the next one is due.
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
    def refund_of(cls, capture: "PaymentAttempt", at: datetime) -> "PaymentAttempt":
        """Return the refund of a capture that the order did not take."""
        number, kind = capture.number, AttemptKind.REFUND
        key = f"{capture.order_id}:{kind}:{number}"
        return cls(
            key=key,
            order_id=capture.order_id,
            number=number,
            kind=kind,
            amount=capture.amount,
            requested_at=at,
            due_at=at,
        )

    def unanswered(self, detail: str, at: datetime) -> "PaymentAttempt":
        """Return this attempt after a request or look-up without a response."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(self.tries, 10)))
        return evolve(self, tries=self.tries + 1, due_at=at + pause, detail=detail)

    def settled(self, response: GatewayResponse, at: datetime) -> "PaymentAttempt":
        """Return this attempt with the gateway's response."""
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


def contradiction(status: PaymentStatus, total: Money, attempts: Sequence[PaymentAttempt]) -> str | None:
    """Return what is wrong between the payment of an order and its ``attempts``; None if they agree.

    An order may have been paid outside the gateway, and a refund that is requested counts as made.
    """

    def done(kind: AttemptKind, *statuses: AttemptStatus) -> int:
        return sum(a.kind is kind and a.status in statuses for a in attempts)

    captured = done(AttemptKind.CAPTURE, AttemptStatus.SUCCEEDED)
    declined = done(AttemptKind.REFUND, AttemptStatus.DECLINED)
    refunded = done(AttemptKind.REFUND, AttemptStatus.SUCCEEDED, AttemptStatus.REQUESTED, AttemptStatus.RESOLVED)
    if any(a.amount != total for a in attempts):
        return f"an attempt is not of the order's total {total}"
    if captured > 1:
        return f"{captured} payments were captured"
    if declined:
        return "its refund was declined: " + next(
            a.detail for a in attempts if a.kind is AttemptKind.REFUND and a.status is AttemptStatus.DECLINED
        )
    if status is PaymentStatus.PAID and refunded:
        return "it is paid, and a refund was requested"
    if status is not PaymentStatus.PAID and captured > refunded:
        return f"a payment was captured, but the order's payment is {status} and nothing is refunded"
    return None
