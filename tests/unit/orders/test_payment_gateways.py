"""Every gateway that orderflow ships keeps what every payment gateway promises."""

import pytest
from orderflow.adapters.payment_gateway import SandboxGateway
from orderflow.testing import PaymentGatewayContract, PaymentGatewayCrashContract


class TestSandboxGateway(PaymentGatewayContract, PaymentGatewayCrashContract):
    @pytest.fixture
    def gateway(self) -> SandboxGateway:
        return SandboxGateway()
