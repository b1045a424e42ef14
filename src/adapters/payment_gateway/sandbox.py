"""A gateway that moves no money. The card token determines its responses, which stay the same after a restart."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256

from attrs import define, evolve, field, frozen

from ...application.orders.payment_attempts import AttemptKind, GatewayPayment, GatewayResponse
from ...domain.currency import minor_units
from ...domain.errors import GatewayUnavailable
from ...domain.money import Money

SUCCESS = "tok_success"
DECLINE = "tok_decline"
INSUFFICIENT_FUNDS = "tok_insufficient_funds"
TIME_OUT = "tok_timeout"
TIME_OUT_ONCE = "tok_timeout_once"
"""The first request with each key is carried out and times out; the second one gets a response."""
CONFIRM = "tok_confirm"
"""The customer has to confirm, and has done so when the gateway is asked again."""
CONFIRM_NEVER = "tok_confirm_never"
"""The customer has to confirm, and does not."""
CONFIRM_FAILS = "tok_confirm_fails"
"""The customer has to confirm, and has failed to do so when the gateway is asked again."""
REFUND_LATER = "tok_refund_later"
"""A refund is pending, and made when the gateway is asked again."""
REFUND_DECLINE = "tok_refund_decline"
"""A refund is declined."""
REFUND_FAILS_LATER = "tok_refund_fails_later"
"""A refund is made, and has failed when the gateway is asked again."""
VOID_DECLINE = "tok_void_decline"
"""A void is declined."""

_DECLINED = {DECLINE: "card_declined", INSUFFICIENT_FUNDS: "insufficient_funds"}
_MARKS: Mapping[str, str] = {
    REFUND_LATER: "rl_",
    REFUND_DECLINE: "rd_",
    REFUND_FAILS_LATER: "rf_",
    VOID_DECLINE: "vd_",
}
"""The prefixes of a card's references, by which a later request knows the card, also after a restart."""
_BACKEND = "sandbox gateway"


@frozen
class _Payment:
    """An authorization, and what became of it."""

    order_id: str
    authorized: Money
    created_at: datetime
    captured: Money
    refunded: Money
    voided: bool = False


@define(eq=False)
class SandboxGateway:
    """Approves every token except those above. ``moved`` has the amounts that were moved, by key, for tests."""

    moved: dict[str, Money] = field(factory=dict, init=False)
    voided: list[str] = field(factory=list, init=False)
    """The keys of the voids that were made."""
    _responses: dict[str, GatewayResponse] = field(factory=dict, init=False)
    _payments: dict[str, _Payment] = field(factory=dict, init=False)
    _waiting: dict[str, GatewayResponse] = field(factory=dict, init=False)
    """The answers to pending requests when they are repeated, by key."""
    _failing: dict[str, str] = field(factory=dict, init=False)
    """The payments whose refund fails when its request is repeated, by the refund's key."""
    _unconfirmed: dict[str, _Payment] = field(factory=dict, init=False)
    _timed_out: set[str] = field(factory=set, init=False)

    async def authorize(self, *, order_id: str, card_token: str, amount: Money, key: str) -> GatewayResponse:
        minor_units(amount)
        if card_token == TIME_OUT:
            raise GatewayUnavailable(_BACKEND, "no answer in time")
        if card_token in _DECLINED:
            return GatewayResponse(False, "", _DECLINED[card_token])
        if key in self._responses:
            return self._again(key)
        approved = GatewayResponse(True, f"auth_{_MARKS.get(card_token, '')}{_digest(key)}")
        now = datetime.now(UTC)
        zero = Money.zero(amount.currency)
        payment = _Payment(order_id, amount, now, captured=zero, refunded=zero)
        if card_token in (CONFIRM, CONFIRM_NEVER, CONFIRM_FAILS):
            pending = GatewayResponse(False, approved.reference, pending=True, client_secret=f"secret_{_digest(key)}")
            declined = GatewayResponse(False, approved.reference, "authentication_failed")
            after = {CONFIRM: approved, CONFIRM_FAILS: declined, CONFIRM_NEVER: pending}
            self._waiting[key] = after[card_token]
            self._unconfirmed[key] = payment
            return self._answer(key, pending)
        self._payments[_digest(key)] = payment
        self.moved[key] = amount
        answer = self._answer(key, approved)
        if card_token == TIME_OUT_ONCE and key not in self._timed_out:
            self._timed_out.add(key)
            raise GatewayUnavailable(_BACKEND, "no answer in time")
        return answer

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayResponse:
        if not authorization.startswith("auth_"):
            return GatewayResponse(False, "", "no_such_authorization")
        if key in self._responses:
            return self._responses[key]
        name = authorization.removeprefix("auth_")
        if (payment := self._payments.get(name[-_DIGITS:])) is not None:
            if payment.voided:
                return self._answer(key, GatewayResponse(False, "", "authorization_voided"))
            if payment.authorized < amount:
                return self._answer(key, GatewayResponse(False, "", "amount_too_large"))
            self._payments[name[-_DIGITS:]] = evolve(payment, captured=amount)
        self.moved[key] = amount
        return self._answer(key, GatewayResponse(True, f"cap_{name}"))

    async def void(self, *, authorization: str, key: str) -> GatewayResponse:
        if not authorization.startswith("auth_") or authorization.startswith("auth_vd_"):
            return GatewayResponse(False, "", "no_such_authorization")
        if key in self._responses:
            return self._responses[key]
        name = authorization.removeprefix("auth_")[-_DIGITS:]
        if (payment := self._payments.get(name)) is not None:
            if payment.captured.amount:
                return self._answer(key, GatewayResponse(False, "", "already_captured"))
            self._payments[name] = evolve(payment, voided=True)
        self.voided.append(key)
        return self._answer(key, GatewayResponse(True, authorization))

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayResponse:
        if not capture.startswith("cap_"):
            return GatewayResponse(False, "", "no_such_capture")
        if key in self._responses:
            return self._again(key)
        if capture.startswith("cap_rd_"):
            return self._answer(key, GatewayResponse(False, "", "expired_or_canceled_card"))
        name = capture.removeprefix("cap_")[-_DIGITS:]
        if (payment := self._payments.get(name)) is not None:
            captured_here = bool(payment.captured.amount)  # or by another process, whose gateway knows it
            if captured_here and payment.captured < payment.refunded + amount:
                return self._answer(key, GatewayResponse(False, "", "amount_too_large"))
            self._payments[name] = evolve(payment, refunded=payment.refunded + amount)
        self.moved[key] = amount
        made = GatewayResponse(True, f"ref_{_digest(key)}")
        if capture.startswith("cap_rl_"):
            self._waiting[key] = made
            return self._answer(key, evolve(made, approved=False, pending=True))
        if capture.startswith("cap_rf_"):
            self._waiting[key] = evolve(made, approved=False, detail="lost_or_stolen_card")
            self._failing[key] = name[-_DIGITS:]
        return self._answer(key, made)

    async def find(self, *, kind: AttemptKind, key: str, reference: str = "") -> GatewayResponse | None:
        return self._again(key) if key in self._responses else None

    async def payments(self, *, since: datetime) -> AsyncIterator[GatewayPayment]:
        for digest, it in list(self._payments.items()):
            if it.created_at >= since:
                yield GatewayPayment(
                    reference=f"auth_{digest}",
                    order_id=it.order_id,
                    created_at=it.created_at,
                    captured=it.captured,
                    refunded=it.refunded,
                    held=not it.captured.amount and not it.voided,
                )

    def _again(self, key: str) -> GatewayResponse:
        """Return the response to a repeated request; what was pending may have an outcome now."""
        if key in self._waiting and not self._waiting[key].pending:
            response = self._answer(key, self._waiting.pop(key))
            refunded = self._failing.pop(key, "")
            if refunded in self._payments:
                before = self._payments[refunded]
                self._payments[refunded] = evolve(before, refunded=before.refunded - self.moved.pop(key))
            if response.approved and (payment := self._unconfirmed.pop(key, None)):
                self._payments[_digest(key)] = payment
                self.moved[key] = payment.authorized
        return self._responses[key]

    def _answer(self, key: str, response: GatewayResponse) -> GatewayResponse:
        self._responses[key] = response
        return response


_DIGITS = 24


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:_DIGITS]
