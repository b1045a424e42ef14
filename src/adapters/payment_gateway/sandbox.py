"""A gateway that moves no money and answers by the card token, the same for the same question, also after a restart."""

from hashlib import sha256

from attrs import define, field

from ...application.orders.payment_attempts import GatewayAnswer
from ...domain.errors import GatewayUnavailable
from ...domain.money import Money

SUCCESS = "tok_success"
DECLINE = "tok_decline"
INSUFFICIENT_FUNDS = "tok_insufficient_funds"
TIME_OUT = "tok_timeout"
TIME_OUT_ONCE = "tok_timeout_once"
"""The first question of each key gets no answer although it was carried out; the second one does."""

_DECLINED = {DECLINE: "card_declined", INSUFFICIENT_FUNDS: "insufficient_funds"}


@define(eq=False)
class SandboxGateway:
    """Approves every token but the named ones. ``moved`` counts, for tests, what really went through, by key."""

    moved: dict[str, Money] = field(factory=dict, init=False)
    _asked: set[str] = field(factory=set, init=False)

    async def authorize(self, *, card_token: str, amount: Money, key: str) -> GatewayAnswer:
        if card_token == TIME_OUT:
            raise GatewayUnavailable("sandbox gateway", "no answer in time")
        if card_token in _DECLINED:
            return GatewayAnswer(False, "", _DECLINED[card_token])
        answer = self._move("auth", amount, key)
        if card_token == TIME_OUT_ONCE and key not in self._asked:
            self._asked.add(key)
            raise GatewayUnavailable("sandbox gateway", "no answer in time")
        return answer

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayAnswer:
        if not authorization.startswith("auth_"):
            return GatewayAnswer(False, "", "no_such_authorization")
        return self._move("cap", amount, key)

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayAnswer:
        if not capture.startswith("cap_"):
            return GatewayAnswer(False, "", "no_such_capture")
        return self._move("ref", amount, key)

    def _move(self, kind: str, amount: Money, key: str) -> GatewayAnswer:
        self.moved[key] = amount
        return GatewayAnswer(True, f"{kind}_{sha256(key.encode()).hexdigest()[:24]}")
