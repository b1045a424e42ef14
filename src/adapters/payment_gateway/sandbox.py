"""A gateway that moves no money. The card token determines its responses, which stay the same after a restart."""

from hashlib import sha256

from attrs import define, field

from ...application.orders.payment_attempts import GatewayResponse
from ...domain.errors import GatewayUnavailable
from ...domain.money import Money

SUCCESS = "tok_success"
DECLINE = "tok_decline"
INSUFFICIENT_FUNDS = "tok_insufficient_funds"
TIME_OUT = "tok_timeout"
TIME_OUT_ONCE = "tok_timeout_once"
"""The first request with each key is carried out and times out; the second one gets a response."""

_DECLINED = {DECLINE: "card_declined", INSUFFICIENT_FUNDS: "insufficient_funds"}


@define(eq=False)
class SandboxGateway:
    """Approves every token except those above. ``moved`` has the amounts that were moved, by key, for tests."""

    moved: dict[str, Money] = field(factory=dict, init=False)
    _responses: dict[str, GatewayResponse] = field(factory=dict, init=False)
    _timed_out: set[str] = field(factory=set, init=False)

    async def authorize(self, *, card_token: str, amount: Money, key: str) -> GatewayResponse:
        if card_token == TIME_OUT:
            raise GatewayUnavailable("sandbox gateway", "no answer in time")
        if card_token in _DECLINED:
            return GatewayResponse(False, "", _DECLINED[card_token])
        answer = self._move("auth", amount, key)
        if card_token == TIME_OUT_ONCE and key not in self._timed_out:
            self._timed_out.add(key)
            raise GatewayUnavailable("sandbox gateway", "no answer in time")
        return answer

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayResponse:
        if not authorization.startswith("auth_"):
            return GatewayResponse(False, "", "no_such_authorization")
        return self._move("cap", amount, key)

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayResponse:
        if not capture.startswith("cap_"):
            return GatewayResponse(False, "", "no_such_capture")
        return self._move("ref", amount, key)

    async def find(self, *, key: str) -> GatewayResponse | None:
        return self._responses.get(key)

    def _move(self, kind: str, amount: Money, key: str) -> GatewayResponse:
        self.moved[key] = amount
        self._responses[key] = GatewayResponse(True, f"{kind}_{sha256(key.encode()).hexdigest()[:24]}")
        return self._responses[key]
