"""Stripe's own description of its API accepts each request of the gateway: stripe-mock refuses what is not in it."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from orderflow.adapters.payment_gateway.stripe import StripeGateway
from orderflow.application.orders.payment_attempts import AttemptKind
from orderflow.testing.orders import eur

from tests.support.servers import obtain, started
from tests.support.stripe_mock import StripeMock


@pytest.fixture(scope="module")
def mock() -> Iterator[StripeMock]:
    server = obtain(lambda: started(StripeMock()))
    yield server
    server.close()


@pytest.fixture
async def gateway(mock: StripeMock) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway.at("sk_test_123", url=mock.url, seconds=60)
    yield gateway
    await gateway.close()


async def test_stripe_knows_the_requests_that_move_money(gateway: StripeGateway) -> None:
    authorized = await gateway.authorize(order_id="O1", card_token="pm_card_visa", amount=eur("25.50"), key="O1:a:1")
    captured = await gateway.capture(authorization="pi_1", amount=eur("20"), key="O1:c:1")
    voided = await gateway.void(authorization="pi_1", key="O1:v:1")
    refunded = await gateway.refund(capture="pi_1", amount=eur("5.50"), key="O1:r:1")

    assert authorized.reference.startswith("pi_")
    assert (captured.reference, voided.reference) == ("pi_1", "pi_1")
    assert refunded.approved
    assert refunded.reference.startswith("re_")
    assert "invalid_request" not in (authorized.detail, captured.detail, voided.detail)


async def test_stripe_knows_the_requests_that_look_up(gateway: StripeGateway) -> None:
    for kind in AttemptKind:
        await gateway.find(kind=kind, key="O1:a:1", reference="pi_1")
    await gateway.find(kind=AttemptKind.REFUND, key="O1:r:1", reference="re_1")

    searched = await gateway.find(kind=AttemptKind.AUTHORIZE, key="O'1\\:a:1")
    listed = [payment async for payment in gateway.payments(since=datetime(2024, 1, 1, tzinfo=UTC))]

    assert searched is None
    assert listed == []


async def test_stripe_refuses_what_is_not_in_its_description(gateway: StripeGateway) -> None:
    refused = await gateway.authorize(order_id="O1", card_token="", amount=eur("25.50"), key="O1:a:1")

    assert not refused.approved
    assert refused.detail
