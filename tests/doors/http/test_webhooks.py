"""Webhook endpoints over HTTP, by admins with a token to operate."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.application.auth import Scope
from orderflow.testing.consumers.webhook_receiver import Exchange, Receiver, accept, refuse

from tests.support.door import BOSS, CUSTOMER, Installation, calling, placed
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.features("webhooks")

AT = "/v1/webhook-endpoints"
REASON = {"reason": "a test"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def added(boss: AsyncClient, receiver: Receiver, **body: Any) -> str:
    answer = await boss.post(AT, json={"url": receiver.url, **body})
    assert answer.status_code == 201
    receiver.secret = answer.json()["secret"]
    return str(answer.json()["id"])


async def test_an_endpoint_is_added_with_a_secret_that_is_shown_once(boss: AsyncClient, receiver: Receiver) -> None:
    endpoint = await added(boss, receiver, types=["order.created"], restaurants=["R7"], label="partner")

    one, every = await boss.get(f"{AT}/{endpoint}"), await boss.get(AT)

    assert one.json() == every.json()["endpoints"][0]
    assert (one.json()["types"], one.json()["restaurants"], one.json()["label"]) == (
        ["order.created"],
        ["R7"],
        "partner",
    )
    assert (one.json()["status"], one.json()["url"]) == ("enabled", receiver.url)
    assert receiver.secret.startswith("whsec_")
    assert receiver.secret not in one.text


async def test_a_test_that_ends_breaks_off_no_other(boss: AsyncClient, receiver: Receiver) -> None:
    endpoint, first_ended = await added(boss, receiver), asyncio.Event()

    async def in_turn(exchange: Exchange) -> None:
        if exchange.received is receiver.received[0]:
            await eventually_async(lambda: len(receiver.received) == 2, that="both messages are there")
        else:
            await first_ended.wait()
        await accept(exchange)

    async def test() -> Any:
        answer = await boss.post(f"{AT}/{endpoint}/test")
        first_ended.set()
        return answer.json()

    receiver.answer = in_turn

    answers = await asyncio.gather(test(), test())

    assert [it["accepted"] for it in answers] == [True, True]


async def test_a_test_message_is_signed_and_answered(boss: AsyncClient, receiver: Receiver) -> None:
    endpoint = await added(boss, receiver)

    accepted = await boss.post(f"{AT}/{endpoint}/test")
    receiver.answer = refuse("500 Oops", b"no")
    refused = await boss.post(f"{AT}/{endpoint}/test")

    assert accepted.json() == {"accepted": True, "code": 204, "detail": ""}
    assert refused.json() == {"accepted": False, "code": 500, "detail": "500 no"}
    assert [it.verified for it in receiver.received] == [True, True]
    assert receiver.received[0].message == {"type": "webhook.test", "data": {}}


async def test_a_secret_is_rotated(boss: AsyncClient, receiver: Receiver) -> None:
    endpoint = await added(boss, receiver)

    answer = await boss.post(f"{AT}/{endpoint}/rotate", json={**REASON, "hours": 1})
    await boss.post(f"{AT}/{endpoint}/test")
    receiver.secret = answer.json()["secret"]
    await boss.post(f"{AT}/{endpoint}/test")

    assert answer.json()["oldSecretEndsAt"]
    assert [it.verified for it in receiver.received] == [True, True]


async def test_an_endpoint_is_disabled_enabled_and_removed(boss: AsyncClient, receiver: Receiver) -> None:
    endpoint = await added(boss, receiver)

    disabled = await boss.post(f"{AT}/{endpoint}/disable", json=REASON)
    enabled = await boss.post(f"{AT}/{endpoint}/enable", json=REASON)
    removed = await boss.post(f"{AT}/{endpoint}/remove", json=REASON)

    assert (disabled.json()["status"], disabled.json()["reason"]) == ("disabled", "by an operator")
    assert enabled.json()["status"] == "enabled"
    assert removed.status_code == 204
    assert (await boss.get(f"{AT}/{endpoint}")).status_code == 404


async def test_events_are_sent_again(boss: AsyncClient, receiver: Receiver, installation: Installation) -> None:
    endpoint = await added(boss, receiver)
    await placed(boss)

    resent = await boss.post(f"{AT}/{endpoint}/resend", json={**REASON, "orderId": "O1"})
    pending = await boss.get(f"{AT}/{endpoint}/deliveries", params={"status": "pending", "orderId": "O1"})
    replayed = await boss.post(f"{AT}/{endpoint}/replay", json={**REASON, "from": "1"})

    [delivery] = resent.json()["deliveries"]
    assert (delivery["orderId"], delivery["sequence"], delivery["status"]) == ("O1", 1, "pending")
    assert pending.json() == resent.json()
    assert replayed.json()["behind"] is True
    entries = await installation.storage.maintenance_log.history(limit=10)
    assert {entry.note.by for entry in entries} == {BOSS}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", {}, 400),
        ("", {"url": "ftp://x"}, 400),
        ("", {"url": "https://ann:sesame@x.example/"}, 400),
        ("", {"url": "https://x.example/", "types": ["order.eaten"]}, 400),
        ("", {"url": "https://x.example/", "restaurants": ["R 7"]}, 400),
        ("", {"url": "https://x.example/", "from": "yesterday"}, 400),
        ("", {"url": "https://x.example/", "from": "order:O1"}, 400),
        ("", {"url": "https://x.example/", "from": "999:1"}, 400),
        ("", {"url": "https://a..example/"}, 400),
        ("/nobody/rotate", {**REASON, "hours": 10**30}, 400),
        ("/nobody/resend", {**REASON, "orderId": "O\0"}, 400),
        ("/no%00body/test", None, 400),
        ("/no%20body/remove", REASON, 400),
        ("/nobody/rotate", REASON, 404),
        ("/nobody/enable", REASON, 404),
        ("/nobody/remove", REASON, 404),
        ("/nobody/replay", {**REASON, "from": "1"}, 404),
        ("/nobody/resend", {**REASON, "orderId": "O1"}, 404),
        ("/nobody/test", None, 404),
        ("/nobody/disable", {"reason": " "}, 404),
    ],
)
async def test_what_is_wrong_is_refused(visitor: AsyncClient, path: str, body: Any, status: int) -> None:
    answer = await visitor.post(AT + path, json=body)

    assert answer.status_code == status
    assert "sesame" not in answer.text
    pointers = {error.get("pointer", "") for error in answer.json().get("errors", [])}
    assert not any(" " in pointer for pointer in pointers)


async def test_a_wrong_query_is_refused(boss: AsyncClient, receiver: Receiver) -> None:
    endpoint = await added(boss, receiver)

    for query in ({"status": "eaten"}, {"limit": "0"}, {"limit": "x"}, {"orderId": "O 1"}, {"also": "1"}):
        assert (await boss.get(f"{AT}/{endpoint}/deliveries", params=query)).status_code == 400
    assert (await boss.post(f"{AT}/{endpoint}/disable", json={"reason": " "})).status_code == 400
    assert (await boss.post(f"{AT}/{endpoint}/rotate", json={**REASON, "hours": 8_761})).status_code == 400


async def test_only_admins_with_a_token_to_operate_may(installation: Installation) -> None:
    app = installation.app(features=["webhooks"], trust_actor_header=False)
    limited = await installation.token(BOSS, scopes=frozenset({Scope.READ, Scope.WRITE}))
    whole = await installation.token(BOSS)
    customer = await installation.token(CUSTOMER)

    async def asked(token: str, method: str = "GET", **body: Any) -> int:
        async with calling(app) as client:
            return (await client.request(method, AT, headers={"Authorization": f"Bearer {token}"}, **body)).status_code

    assert [await asked(it) for it in (limited, customer, whole)] == [403, 403, 200]
    url = {"json": {"url": "https://hooks.example/"}}
    assert [await asked(it, "POST", **url) for it in (limited, customer, whole)] == [403, 403, 201]
