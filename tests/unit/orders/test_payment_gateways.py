"""Every gateway that orderflow ships keeps what every payment gateway promises."""

import pytest
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.adapters.payment_gateway.sandbox import SUCCESS
from orderflow.domain.money import Money
from orderflow.testing import PaymentGatewayContract, PaymentGatewayCrashContract


class TestSandboxGateway(PaymentGatewayContract, PaymentGatewayCrashContract):
    @pytest.fixture
    def gateway(self) -> SandboxGateway:
        return SandboxGateway()


async def test_a_refund_is_made_also_by_a_process_that_did_not_capture_the_payment() -> None:
    one, other, amount = SandboxGateway(), SandboxGateway(), Money("10.00", "EUR")
    authorized = await one.authorize(order_id="O1", card_token=SUCCESS, amount=amount, key="O1:authorize:1")
    captured = await other.capture(authorization=authorized.reference, amount=amount, key="O1:capture:1")

    refunded = await one.refund(capture=captured.reference, amount=amount, key="O1:refund")

    assert refunded.approved
