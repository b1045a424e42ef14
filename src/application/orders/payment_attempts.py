"""Attempts to move money through a gateway: stored before the call, so that none is ever forgotten or doubled."""

from datetime import datetime
from enum import StrEnum

from attrs import evolve, frozen

from ...domain.money import Money


class AttemptKind(StrEnum):
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    REFUND = "refund"


class AttemptStatus(StrEnum):
    REQUESTED = "requested"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"


@frozen
class GatewayAnswer:
    """``approved`` or declined; ``reference`` names it at the gateway, ``detail`` says why it was declined."""

    approved: bool
    reference: str
    detail: str = ""


@frozen(kw_only=True)
class PaymentAttempt:
    """One call of a gateway. ``key`` is its idempotency key; while ``asked``, the outcome is not known yet.

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

    def settled(self, answer: GatewayAnswer, at: datetime) -> "PaymentAttempt":
        """This attempt with the gateway's answer."""
        return evolve(
            self,
            status=AttemptStatus.SUCCEEDED if answer.approved else AttemptStatus.DECLINED,
            reference=answer.reference,
            detail=answer.detail,
            settled_at=at,
        )
