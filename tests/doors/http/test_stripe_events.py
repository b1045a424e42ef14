"""Stripe's events: signed, without a token, in any order and any number of times."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from attrs import define
from httpx import AsyncClient, Response
from orderflow import ConfirmationNeeded, InvalidInput, NotConfigured, OrderFlow
from orderflow.adapters.payment_gateway.stripe import StripeGateway
from orderflow.adapters.payment_gateway.stripe_webhook import StripeWebhook
from orderflow.application.orders.payment_attempts import GatewayEvent
from orderflow.entrypoints.http import create_app
from orderflow.entrypoints.settings import Settings, described
from orderflow.entrypoints.wiring.payment_gateway import stripe_events

from tests.doors.entrypoints.test_embedded import placed
from tests.support.door import calling
from tests.support.stripe_server import OK, REFUND_PENDING, THREE_D_SECURE, StripeServer

SECRET, NEXT = "whsec_first", "whsec_second"


def signed(body: bytes, secret: str = SECRET, *, age: float = 0) -> str:
    at = int(time.time() - age)
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def event(order_id: str = "O1", kind: str = "payment_intent.amount_capturable_updated") -> bytes:
    about = {"id": "pi_1", "object": "payment_intent", "metadata": {"orderflow_order": order_id}}
    return json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": about}}).encode()


def refund_event(refund: dict[str, Any], kind: str) -> bytes:
    return json.dumps({"id": "evt_2", "object": "event", "type": kind, "data": {"object": refund}}).encode()


@define
class Door:
    flow: OrderFlow
    stripe: StripeServer
    client: AsyncClient

    async def send(self, body: bytes, signature: str | None = None, **headers: str) -> Response:
        sent = {
            "Content-Type": "application/json",
            "Stripe-Signature": signed(body) if signature is None else signature,
        }
        return await self.client.post("/v1/webhooks/stripe", content=body, headers=sent | headers)


@pytest.fixture
def stripe() -> Iterator[StripeServer]:
    server = StripeServer()
    yield server
    server.close()


@pytest.fixture
async def door(stripe: StripeServer) -> AsyncIterator[Door]:
    gateway = StripeGateway.at("sk_test_1", url=stripe.url, seconds=60, retries=0)
    async with OrderFlow.open("memory://", gateway=gateway) as flow:
        app = create_app(
            flow.use_cases,
            tokens=flow.container.tokens(),
            checks={},
            trust_actor_header=False,
            stripe_events=StripeWebhook((SECRET, NEXT)),
        )
        async with calling(app) as client:
            del client.headers["X-Actor"]
            yield Door(flow, stripe, client)


async def unconfirmed(door: Door) -> str:
    """An order whose customer has to confirm the payment; the PaymentIntent's id is returned."""
    await placed(door.flow, "O1", payment_method="card", card_token=THREE_D_SECURE)
    with pytest.raises(ConfirmationNeeded):
        await door.flow.record_payment("O1")
    [intent] = door.stripe.intents
    return intent


async def payment(door: Door) -> Any:
    return (await door.flow.get_order("O1")).payment


async def test_an_event_of_a_confirmed_payment_captures_it(door: Door) -> None:
    door.stripe.confirm(await unconfirmed(door))

    answer = await door.send(event())

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await payment(door)).status == "paid"


async def test_an_event_that_comes_too_early_changes_nothing(door: Door) -> None:
    intent = await unconfirmed(door)

    early = await door.send(event(kind="payment_intent.succeeded"))
    before = (await payment(door)).status
    door.stripe.confirm(intent)
    await door.send(event())

    assert (early.status_code, before) == (204, "pending")
    assert (await payment(door)).status == "paid"


async def test_events_twice_at_once_and_during_our_own_call_take_the_money_once(door: Door) -> None:
    door.stripe.confirm(await unconfirmed(door))

    await asyncio.gather(*(door.send(event()) for _ in range(5)), door.flow.record_payment("O1"))

    types = [entry.event.type for entry in await door.flow.timeline("O1")]
    [intent] = door.stripe.intents.values()
    assert types.count("order.payment_processed") == 1
    assert intent["amount_received"] == intent["amount"]
    assert (await payment(door)).status == "paid"


async def test_an_event_after_a_cancellation_captures_nothing(door: Door) -> None:
    intent = await unconfirmed(door)
    await door.flow.cancel_order("O1", "late")

    answer = await door.send(event())

    assert answer.status_code == 204
    assert door.stripe.intents[intent]["status"] == "canceled"


async def test_an_event_of_a_refund_that_was_pending_records_it_once(door: Door) -> None:
    await placed(door.flow, "O1", payment_method="card", card_token=REFUND_PENDING)
    await door.flow.record_payment("O1")
    await door.flow.cancel_order("O1", "late")
    [refund] = door.stripe.refunds.values()

    for _ in range(2):
        await door.send(event(refund["metadata"]["orderflow_order"], "refund.updated"))

    steps = [entry.event.refund for entry in await door.flow.timeline("O1") if entry.event.type.endswith("processed")]  # type: ignore[attr-defined]
    assert steps == [None, "requested", "succeeded"]


@pytest.mark.parametrize("kind", ["refund.failed", "refund.updated", "charge.refund.updated"])
async def test_an_event_of_a_refund_that_failed_after_it_was_made_is_recorded_once(door: Door, kind: str) -> None:
    await placed(door.flow, "O1", payment_method="card", card_token=OK)
    await door.flow.record_payment("O1")
    await door.flow.cancel_order("O1", "late")
    made = await payment(door)
    [refund] = door.stripe.refunds.values()

    early = await door.send(refund_event(refund, kind))
    refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    door.stripe.trouble = lambda method, path: 500
    away = await door.send(refund_event(refund, kind))
    door.stripe.trouble = lambda method, path: None
    await asyncio.gather(*(door.send(refund_event(refund, kind)) for _ in range(3)))

    steps = [entry.event.refund for entry in await door.flow.timeline("O1") if entry.event.type.endswith("processed")]  # type: ignore[attr-defined]
    assert (made.status, early.status_code, away.status_code) == ("refunded", 204, 503)
    assert steps == [None, "requested", "succeeded", "failed"]
    assert ((await payment(door)).status, (await payment(door)).refunds.declined) == ("paid", made.refunds.paid_back)


async def test_an_event_of_a_failed_refund_comes_before_our_own_answer(door: Door) -> None:
    await placed(door.flow, "O1", payment_method="card", card_token=OK)
    await door.flow.record_payment("O1")
    door.stripe.trouble = lambda method, path: -1 if (method, path) == ("POST", "/v1/refunds") else None
    await door.flow.cancel_order("O1", "late")
    [refund] = door.stripe.refunds.values()
    refund |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}

    answer = await door.send(refund_event(refund, "refund.failed"))

    steps = [entry.event.refund for entry in await door.flow.timeline("O1") if entry.event.type.endswith("processed")]  # type: ignore[attr-defined]
    assert (answer.status_code, steps) == (204, [None, "requested", "declined"])


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "t=1,v1=00",
        "nonsense",
        lambda body: signed(body, "whsec_other"),
        lambda body: signed(body, age=301),
        lambda body: f"{signed(body, 'whsec_other')},v1=\u00e9".encode(),
        lambda body: signed(body + b" "),
    ],
    ids=["none", "wrong", "malformed", "of another secret", "too old", "not ASCII", "of another body"],
)
async def test_an_event_that_is_not_signed_is_refused_without_a_question_to_the_gateway(
    door: Door, signature: Any
) -> None:
    await unconfirmed(door)
    before = len(door.stripe.requests)

    answer = await door.send(event(), signature(event()) if callable(signature) else signature)

    assert (answer.status_code, answer.json()["errors"][0]["header"]) == (400, "Stripe-Signature")
    assert len(door.stripe.requests) == before


async def test_both_secrets_are_accepted_while_one_is_rotated(door: Door) -> None:
    answers = [await door.send(event("none"), signed(event("none"), secret)) for secret in (SECRET, NEXT)]

    assert [answer.status_code for answer in answers] == [204, 204]


@pytest.mark.parametrize("body", [b"{}", b"[]", b'"x"', b'{"data": {"object": {"metadata": 5}}}', event("another")])
async def test_an_event_about_nothing_of_ours_is_accepted(door: Door, body: bytes) -> None:
    assert (await door.send(body)).status_code == 204


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 10_000], ids=["empty", "cut off", "not UTF-8", "nested deeply"]
)
async def test_a_signed_body_that_is_no_json_is_refused(door: Door, body: bytes) -> None:
    assert (await door.send(body)).status_code == 400


async def test_a_large_body_is_refused(door: Door) -> None:
    body = json.dumps({"padding": "x" * 300_000}).encode()

    refused = await door.send(body)

    assert refused.status_code == 413
    assert refused.json()["detail"] == "a body may have at most 262144 bytes"


async def test_without_a_secret_there_is_no_such_route() -> None:
    async with OrderFlow.open("memory://") as flow:
        app = create_app(flow.use_cases, tokens=flow.container.tokens(), checks={}, trust_actor_header=False)
        async with calling(app) as client:
            answer = await client.post("/v1/webhooks/stripe", content=event())

    assert answer.status_code == 404


def test_the_secret_is_a_setting_that_is_never_shown_and_needs_stripe() -> None:
    both = f"{SECRET},{NEXT}"
    settings = Settings(
        database_url="memory://", payment_gateway="stripe", stripe_api_key="sk_1", stripe_webhook_secret=both
    )

    verify = stripe_events(settings)

    assert verify is not None
    assert verify(event(), signed(event(), NEXT)) == GatewayEvent("O1")
    assert SECRET not in f"{described(settings)} {settings!r} {verify!r}"
    assert stripe_events(Settings(database_url="memory://")) is None
    with pytest.raises(NotConfigured, match="Stripe is not the gateway"):
        stripe_events(Settings(database_url="memory://", stripe_webhook_secret=SECRET))
    with pytest.raises(InvalidInput):
        verify(event(), signed(event(), "whsec_third"))
