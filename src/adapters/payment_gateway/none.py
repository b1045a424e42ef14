"""No gateway: cards cannot be charged."""

from collections.abc import AsyncIterator
from datetime import datetime

from attrs import frozen

from ...application.orders.payment_attempts import AttemptKind, GatewayPayment, GatewayResponse
from ...domain.errors import GatewayUnavailable
from ...domain.money import Money


@frozen
class NoGateway:
    """Refuses each request: orders are paid in cash, or outside. It knows no request and has no payments."""

    async def authorize(self, *, order_id: str, card_token: str, amount: Money, key: str) -> GatewayResponse:
        raise self._absent()

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayResponse:
        raise self._absent()

    async def void(self, *, authorization: str, key: str) -> GatewayResponse:
        raise self._absent()

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayResponse:
        raise self._absent()

    async def find(self, *, kind: AttemptKind, key: str, reference: str = "") -> GatewayResponse | None:
        raise self._absent()

    async def payments(self, *, since: datetime) -> AsyncIterator[GatewayPayment]:
        for payment in list[GatewayPayment]():
            yield payment

    def _absent(self) -> GatewayUnavailable:
        return GatewayUnavailable("payment gateway", "there is none; name one in ORDERFLOW_PAYMENT_GATEWAY")
