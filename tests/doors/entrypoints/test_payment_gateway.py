"""The payment gateway is chosen by a setting."""

import pytest
from orderflow import OrderFlow
from orderflow.adapters.payment_gateway import NoGateway, SandboxGateway
from orderflow.domain.errors import GatewayUnavailable
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings, described
from orderflow.testing.consumers.shop import HandClock

from tests.doors.entrypoints.test_embedded import placed


@pytest.mark.parametrize(
    ("production", "name"),
    [
        ({"database_url": "sqlite:///orders.db"}, "sandbox"),
        ({"database_url": "memory://"}, "sandbox"),
        ({"database_url": "postgresql://db/orders"}, "none"),
        ({"database_url": "memory://", "kafka_bootstrap_servers": "kafka:9092"}, "none"),
        ({"database_url": "memory://", "http_host": "0.0.0.0"}, "none"),
        ({"database_url": "postgresql://db/orders", "payment_gateway": "sandbox"}, "sandbox"),
    ],
)
def test_the_sandbox_is_used_in_production_only_if_it_is_named(production: dict[str, str], name: str) -> None:
    settings = Settings(**production)  # type: ignore[arg-type]

    gateway = container_for(settings).gateway()

    assert described(settings)["payment_gateway"] == name
    assert isinstance(gateway, SandboxGateway if name == "sandbox" else NoGateway)


async def test_without_a_gateway_a_card_is_refused_and_cash_is_taken() -> None:
    async with OrderFlow.open("memory://", payment_gateway="none") as flow:
        await placed(flow, "CARD", payment_method="card", card_token="tok_success")
        await placed(flow, "CASH")

        with pytest.raises(GatewayUnavailable, match="name one in ORDERFLOW_PAYMENT_GATEWAY"):
            await flow.record_payment("CARD")

        assert (await flow.record_payment("CASH")).payment.status == "paid"


def test_a_simulation_charges_the_sandbox() -> None:
    settings = Settings(database_url="postgresql://db/orders")

    assert isinstance(container_for(settings, clock=HandClock(), simulated=True).gateway(), SandboxGateway)
