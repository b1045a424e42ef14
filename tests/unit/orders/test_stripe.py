"""The Stripe gateway, with a small Stripe on loopback that remembers: declines, 3-D Secure, lost answers."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import ClassVar

import pytest
from orderflow import ConfirmationNeeded, OrderFlow
from orderflow.adapters.payment_gateway.stripe import StripeGateway, money_of, stripe_amount
from orderflow.application.orders.payment_attempts import AttemptKind
from orderflow.domain.errors import GatewayUnavailable, NotConfigured
from orderflow.domain.money import Money
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings, described
from orderflow.entrypoints.settings_source import load_settings
from orderflow.testing import PaymentGatewayContract, PaymentGatewayCrashContract
from orderflow.testing.orders import eur

from tests.doors.entrypoints.test_embedded import placed
from tests.support.stripe_server import (
    DECLINED,
    OK,
    PROCESSING,
    REFUND_FAIL,
    REFUND_PENDING,
    THREE_D_SECURE,
    StripeServer,
)

SECRET = "sk_test_51secretsecret"


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    server = StripeServer()
    yield server
    server.close()


@pytest.fixture
async def gateway(stripe: StripeServer) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway.at(SECRET, url=stripe.url, seconds=60, retries=0)
    yield gateway
    await gateway.close()


class TestStripeGateway(PaymentGatewayContract, PaymentGatewayCrashContract):
    approved: ClassVar[str] = OK
    declined: ClassVar[str] = DECLINED

    @pytest.fixture
    async def gateway_that_is_down(self) -> AsyncIterator[StripeGateway]:
        gateway = StripeGateway.at(SECRET, url="http://127.0.0.1:9", seconds=60, retries=0)
        yield gateway
        await gateway.close()


@asynccontextmanager
async def charging(gateway: StripeGateway, card: str) -> AsyncIterator[OrderFlow]:
    async with OrderFlow.open("memory://", gateway=gateway) as flow:
        await placed(flow, "O1", payment_method="card", card_token=card)
        yield flow


async def test_an_authorization_carries_the_order_and_is_captured_by_hand(
    gateway: StripeGateway, stripe: StripeServer
) -> None:
    async with charging(gateway, OK) as flow:
        await flow.record_payment("O1")

    [intent] = stripe.intents.values()
    assert intent["metadata"] == {"orderflow_order": "O1", "orderflow_key": "O1:authorize:1"}
    assert [(method, path, key) for method, path, key in stripe.requests if method == "POST"] == [
        ("POST", "/v1/payment_intents", "O1:authorize:1"),
        ("POST", f"/v1/payment_intents/{intent['id']}/capture", "O1:capture:1"),
    ]


async def test_a_decline_is_a_failed_payment_with_stripes_reason(gateway: StripeGateway) -> None:
    async with charging(gateway, DECLINED) as flow:
        order = await flow.record_payment("O1")
        [attempt] = await flow.container.storage().attempts.of_order("O1")

    assert order.payment.status == "failed"
    assert attempt.detail == "generic_decline"


@pytest.mark.parametrize("ok", [True, False])
async def test_a_payment_with_3d_secure_waits_for_the_customer(
    gateway: StripeGateway, stripe: StripeServer, ok: bool
) -> None:
    async with charging(gateway, THREE_D_SECURE) as flow:
        with pytest.raises(ConfirmationNeeded) as needed:
            await flow.record_payment("O1")
        [name] = stripe.intents
        with pytest.raises(ConfirmationNeeded):
            await flow.record_payment("O1")
        stripe.confirm(name, ok=ok)
        order = await flow.record_payment("O1")

    assert (needed.value.client_secret, needed.value.url) == (f"{name}_secret_x", "https://bank.example/3ds")
    assert order.payment.status == ("paid" if ok else "failed")
    assert list(stripe.intents) == [name]


async def test_a_cancelled_order_releases_what_was_authorized(gateway: StripeGateway, stripe: StripeServer) -> None:
    async with charging(gateway, THREE_D_SECURE) as flow:
        with pytest.raises(ConfirmationNeeded):
            await flow.record_payment("O1")
        await flow.cancel_order("O1", "late")

    assert [intent["status"] for intent in stripe.intents.values()] == ["canceled"]


async def test_an_authorization_whose_answer_was_lost_is_found_by_its_key(
    gateway: StripeGateway, stripe: StripeServer
) -> None:
    stripe.trouble = lambda method, path: -1 if method == "POST" else None
    async with charging(gateway, OK) as flow:
        with pytest.raises(GatewayUnavailable):
            await flow.record_payment("O1")
        stripe.trouble = lambda method, path: None
        await flow.cancel_order("O1", "late")

    assert [intent["status"] for intent in stripe.intents.values()] == ["canceled"]


async def test_a_refund_that_stripe_decides_later_is_made_then(gateway: StripeGateway) -> None:
    async with charging(gateway, REFUND_PENDING) as flow:
        await flow.record_payment("O1")
        await flow.cancel_order("O1", "late")
        asked = await flow.get_order("O1")
        await flow.use_cases.settle_payments("O1")
        made = await flow.get_order("O1")

    assert (asked.payment.status, asked.payment.refunds.requested) == ("paid", asked.total.amount)
    assert made.payment.status == "refunded"


async def test_a_refund_that_fails_is_declined(gateway: StripeGateway) -> None:
    async with charging(gateway, REFUND_FAIL) as flow:
        await flow.record_payment("O1")
        await flow.cancel_order("O1", "late")
        order = await flow.get_order("O1")

    assert order.payment.refunds.declined == order.total.amount


async def test_a_refund_is_made_once_although_stripe_has_forgotten_its_key(
    gateway: StripeGateway, stripe: StripeServer
) -> None:
    authorized = await gateway.authorize(order_id="O1", card_token=OK, amount=eur("25.50"), key="a")
    await gateway.capture(authorization=authorized.reference, amount=eur("25.50"), key="c")
    first = await gateway.refund(capture=authorized.reference, amount=eur("5"), key="r")
    stripe._answers.clear()

    again = await gateway.refund(capture=authorized.reference, amount=eur("5"), key="r")

    assert again == first
    assert len(stripe.refunds) == 1


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_refund_is_missing_only_if_stripe_says_so(
    gateway: StripeGateway, stripe: StripeServer, by_id: bool
) -> None:
    capture = (await gateway.authorize(order_id="O1", card_token=OK, amount=eur("25.50"), key="a")).reference
    await gateway.capture(authorization=capture, amount=eur("25.50"), key="c")
    refund = await gateway.refund(capture=capture, amount=eur("5"), key="r")
    reference = refund.reference if by_id else capture
    stripe.trouble = lambda method, path: 400 if method == "GET" and "refunds" in path else None

    with pytest.raises(GatewayUnavailable, match="status 400"):
        await gateway.find(kind=AttemptKind.REFUND, key="r", reference=reference)
    with pytest.raises(GatewayUnavailable, match="status 400"):
        await gateway.refund(capture=capture, amount=eur("5"), key="r")
    assert len(stripe.refunds) == 1


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 503])
async def test_an_outcome_that_is_not_known_is_an_error_without_stripes_text(
    gateway: StripeGateway, stripe: StripeServer, status: int
) -> None:
    stripe.trouble = lambda method, path: status

    with pytest.raises(GatewayUnavailable) as unknown:
        await gateway.authorize(order_id="O1", card_token=OK, amount=eur("25.50"), key="a")
    with pytest.raises(GatewayUnavailable):
        await gateway.find(kind=AttemptKind.AUTHORIZE, key="a")

    assert str(status) in str(unknown.value)
    assert "leaked" not in str(unknown.value)


async def test_a_stripe_that_cannot_be_reached_is_unavailable() -> None:
    gateway = StripeGateway.at(SECRET, url="http://127.0.0.1:9", retries=0)

    with pytest.raises(GatewayUnavailable, match="APIConnectionError"):
        await gateway.void(authorization="pi_1", key="v")

    await gateway.close()


async def test_what_failed_is_sent_again_with_its_key_a_bounded_number_of_times(stripe: StripeServer) -> None:
    gateway = StripeGateway.at(SECRET, url=stripe.url, seconds=60, retries=1)
    stripe.trouble = lambda method, path: 409

    with pytest.raises(GatewayUnavailable):
        await gateway.authorize(order_id="O1", card_token=OK, amount=eur("25.50"), key="a")

    await gateway.close()
    assert stripe.requests == [("POST", "/v1/payment_intents", "a")] * 2


@pytest.mark.parametrize(
    ("amount", "currency", "number"),
    [
        ("25.50", "EUR", 2550),
        ("1300", "JPY", 1300),
        ("1.50", "KWD", 1500),
        ("1.501", "KWD", None),
        ("5", "UGX", 500),
        ("5", "ISK", 500),
        ("5", "MGA", 5),
        ("5.20", "MGA", None),
        ("1.0001", "CLF", None),
    ],
)
def test_an_amount_is_counted_as_stripe_does(amount: str, currency: str, number: int | None) -> None:
    money = Money(Decimal(amount), currency)

    assert stripe_amount(money) == number
    assert number is None or money_of(number, currency) == money


async def test_an_amount_that_stripe_cannot_take_is_declined(gateway: StripeGateway) -> None:
    response = await gateway.authorize(order_id="O1", card_token=OK, amount=Money(Decimal("1.501"), "KWD"), key="a")

    assert (response.approved, response.detail) == (False, "amount_not_representable")


def test_stripe_is_chosen_by_name_and_needs_a_key() -> None:
    settings = load_settings(
        environment={"ORDERFLOW_PAYMENT_GATEWAY": "stripe", "ORDERFLOW_STRIPE_API_KEY": SECRET},
        database_url="memory://",
    )

    assert isinstance(container_for(settings).gateway(), StripeGateway)
    assert SECRET not in f"{described(settings)} {settings!r} {container_for(settings).gateway()!r}"
    with pytest.raises(NotConfigured, match="ORDERFLOW_STRIPE_API_KEY"):
        container_for(Settings(database_url="memory://", payment_gateway="stripe")).gateway()


async def test_a_capture_that_stripe_is_processing_has_no_outcome_and_is_not_charged_again(
    gateway: StripeGateway, stripe: StripeServer
) -> None:
    async with charging(gateway, PROCESSING) as flow:
        for _ in range(2):
            with pytest.raises(GatewayUnavailable, match="not decided"):
                await flow.record_payment("O1")
            await flow.container.settle_payments()("O1")
        pending = await flow.get_order("O1")

        [intent] = stripe.intents.values()
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        await flow.container.settle_payments()("O1")
        paid = await flow.get_order("O1")
        attempts = await flow.container.storage().attempts.of_order("O1")

    assert [attempt.due_at for attempt in attempts] == [None, None]
    assert (pending.payment.status, pending.version) == ("pending", 1)
    assert (paid.payment.status, paid.version) == ("paid", 2)


@pytest.mark.parametrize("status", [None, "requires_review"])
async def test_a_payment_whose_state_is_not_known_is_neither_approved_nor_declined(
    gateway: StripeGateway, stripe: StripeServer, status: str | None
) -> None:
    async with charging(gateway, THREE_D_SECURE) as flow:
        with pytest.raises(ConfirmationNeeded):
            await flow.record_payment("O1")
        [intent] = stripe.intents.values()
        intent["status"] = status
        with pytest.raises(GatewayUnavailable, match=f"status {status!r}"):
            await flow.record_payment("O1")
        unknown = await flow.get_order("O1")
        stripe.confirm(intent["id"])
        known = await flow.record_payment("O1")

    assert (unknown.payment.status, known.payment.status) == ("pending", "paid")
    assert len(stripe.intents) == 1


@pytest.mark.parametrize("status", [None, "requires_review"])
async def test_a_refund_whose_state_is_not_known_is_neither_made_nor_declined(
    gateway: StripeGateway, stripe: StripeServer, status: str | None
) -> None:
    async with charging(gateway, REFUND_PENDING) as flow:
        await flow.record_payment("O1")
        await flow.cancel_order("O1", "late")
        [refund] = stripe.refunds.values()
        refund["status"] = status
        await flow.use_cases.settle_payments("O1")
        unknown = await flow.get_order("O1")
        refund["status"] = "succeeded"
        await flow.use_cases.settle_payments("O1")
        known = await flow.get_order("O1")

    assert unknown.payment.refunds.requested == unknown.total.amount
    assert known.payment.status == "refunded"


@pytest.mark.parametrize("body", [None, [], "requires_capture", 5])
async def test_an_answer_that_is_no_object_is_no_outcome(
    gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch, body: object
) -> None:
    monkeypatch.setattr(StripeServer, "answer", lambda *_: (200, body))

    with pytest.raises(GatewayUnavailable, match="and no object"):
        await gateway.find(kind=AttemptKind.AUTHORIZE, key="a", reference="pi_1")
