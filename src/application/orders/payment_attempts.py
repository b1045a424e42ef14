"""Attempts to move money through a gateway: stored before the call, so that none is lost or repeated."""

from datetime import datetime
from enum import StrEnum

from attrs import evolve, frozen

from ...domain.money import Money


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


@frozen
class GatewayResponse:
    """The gateway's response: its ``reference`` for the payment, and in ``detail`` why it was declined."""

    approved: bool
    reference: str
    detail: str = ""


@frozen(kw_only=True)
class PaymentAttempt:
    """One call of a gateway. ``key`` is its idempotency key; while it is ``requested``, the outcome is unknown.

    ``reference`` is the gateway's own name of the authorization or capture.
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

    def settled(self, response: GatewayResponse, at: datetime) -> "PaymentAttempt":
        """Return this attempt with the gateway's response."""
        return evolve(
            self,
            status=AttemptStatus.SUCCEEDED if response.approved else AttemptStatus.DECLINED,
            reference=response.reference,
            detail=response.detail,
            settled_at=at,
        )
