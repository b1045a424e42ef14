"""``orderflow webhooks`` and ``orderflow listen``: endpoints, deliveries and secrets on the command line."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from attrs import evolve
from orderflow import OrderFlow
from orderflow.testing.consumers.webhook_receiver import Receiver, refuse
from orderflow.testing.waiting import eventually_async
from standardwebhooks import Webhook

from tests.doors.entrypoints.test_embedded import pizzas
from tests.support.commands import CommandLine, CommandResult, order_json

NOTE = ("--by", "ann", "--reason", "a test")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
def near(cli: CommandLine) -> CommandLine:
    """Commands that may reach this machine."""
    return evolve(cli, more={"ORDERFLOW_WEBHOOK_PRIVATE_ADDRESSES": "true"})


async def typed(cli: CommandLine, *arguments: str) -> CommandResult:
    return await asyncio.to_thread(cli, *arguments)


async def asked(cli: CommandLine, *arguments: str) -> Any:
    return await asyncio.to_thread(cli.json, *arguments)


async def test_an_endpoint_from_its_addition_to_its_removal(near: CommandLine, receiver: Receiver) -> None:
    added = await asked(near, "webhooks", "add", receiver.url, "--type", "order.created", "--restaurant", "R7")
    receiver.secret = added["secret"]
    tried = await asked(near, "webhooks", "test", added["id"])
    rotated = await asked(near, "webhooks", "rotate", added["id"], "--hours", "1", *NOTE)
    disabled = await asked(near, "webhooks", "disable", added["id"], *NOTE)
    enabled = await asked(near, "webhooks", "enable", added["id"], *NOTE)
    [listed] = await asked(near, "webhooks", "list")
    table = await typed(near, "webhooks", "list")
    removed = await asked(near, "webhooks", "remove", added["id"], *NOTE)

    assert tried == {"accepted": True, "code": 204, "detail": ""}
    assert receiver.received[0].verified
    assert rotated["secret"] != added["secret"]
    assert (disabled["status"], enabled["status"]) == ("disabled", "enabled")
    assert (listed["types"], listed["restaurants"], listed["status"]) == (["order.created"], ["R7"], "enabled")
    assert not any("whsec_" in shown for shown in (str(listed), str(enabled), table.out, table.err))
    assert removed == {"removed": added["id"]}
    kinds = [it["kind"] for it in await asked(near, "maintenance")]
    assert kinds == ["webhook"] * 4


async def test_a_refused_test_message_is_a_failure(near: CommandLine, receiver: Receiver) -> None:
    receiver.answer = refuse("500 Oops", b"no")
    added = await asked(near, "webhooks", "add", receiver.url)

    tried = await typed(near, "webhooks", "test", added["id"])

    assert tried.code == 1
    assert "500 no" in tried.out


async def test_what_was_sent_is_listed_resent_and_replayed(near: CommandLine, receiver: Receiver) -> None:
    added = await asked(near, "webhooks", "add", receiver.url)
    receiver.secret = added["secret"]
    settings = {"consumers": ["webhooks"], "webhook_private_addresses": True, "poll_seconds": 0.01}
    async with OrderFlow.open(near.database_url, **settings) as flow:
        order = await flow.create_order(customer_id="C1", restaurant_id="R7", lines=pizzas(), currency="EUR")
        await eventually_async(lambda: receiver.received, that="it is sent")
        webhooks = flow.container.effects().webhooks
        await eventually_async(lambda: _all_sent(webhooks), that="its result is stored")

    delivered = await asked(near, "webhooks", "deliveries", added["id"], "--status", "delivered")
    resent = await asked(near, "webhooks", "resend", added["id"], order.id, *NOTE)
    replayed = await asked(near, "webhooks", "replay", added["id"], "--from", "1", *NOTE)
    async with OrderFlow.open(near.database_url, **settings):
        await eventually_async(lambda: len(receiver.received) > 1, that="it is sent again")

    [delivery] = delivered
    assert (delivery["orderId"], delivery["sequence"], delivery["code"]) == (order.id, 1, 204)
    assert [it["status"] for it in resent] == ["pending"]
    assert replayed["behind"] is True
    assert len(set(receiver.ids)) == 1
    assert all(it.verified for it in receiver.received)


async def _all_sent(webhooks: Any) -> bool:
    summary = await webhooks.summary()
    return not summary.backlog.pending


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("add", "http://hooks.example/"), 2, "https"),
        (("add", "https://ann:sesame@hooks.example/"), 2, "user"),
        (("add", "https://hooks.example/", "--type", "order.eaten"), 2, "order.eaten"),
        (("add", "https://hooks.example/", "--from", "yesterday"), 2, "yesterday"),
        (("show", "E1"), 3, "no webhook endpoint"),
        (("deliveries", "E1"), 3, "no webhook endpoint"),
        (("deliveries", "E1", "--limit", "0"), 2, "limit"),
        (("rotate", "E1", "--hours", "9000", *NOTE), 2, "hours"),
        (("rotate", "E1", "--hours", "9" * 12, *NOTE), 2, "0 to 8760"),
        (("enable", "E1", "--by", "ann"), 2, "reason"),
    ],
)
def test_what_is_wrong_is_said(cli: CommandLine, arguments: tuple[str, ...], code: int, error: str) -> None:
    answer = cli("webhooks", *arguments)

    assert answer.code == code
    assert error in answer.err
    assert "sesame" not in answer.err


async def test_listen_forwards_new_events_and_stores_nothing(cli: CommandLine, receiver: Receiver) -> None:
    arguments = ("--forward-to", receiver.url, "--type", "order.created", "--restaurant", "R7", "--events", "2")
    async with OrderFlow.open(cli.database_url) as flow:
        order = {"customer_id": "C1", "lines": pizzas(), "currency": "EUR"}
        before = await flow.create_order(restaurant_id="R7", **order)
        listening = asyncio.create_task(typed(cli, "--json", "listen", *arguments))
        while not listening.done():
            await flow.create_order(restaurant_id="R8", **order)
            await flow.create_order(restaurant_id="R7", **order)
            await asyncio.wait([listening], timeout=0.05)
        answer = await listening
        cursors = await flow.container.storage().cursors.positions("webhooks")

    assert (answer.code, len(receiver.received), cursors) == (0, 2, {})
    assert before.id not in receiver.accepted()
    for got in receiver.received:
        message = Webhook(answer.data["secret"]).verify(got.body, dict(got.headers))
        assert message["data"]["data"]["restaurantId"] == "R7"
    assert all(f"{got.order_id} 1 order.created: 204" in answer.err for got in receiver.received)


def test_an_order_whose_only_event_cannot_be_decoded_is_a_difference_of_the_check(cli: CommandLine) -> None:
    cli.json("webhooks", "add", "https://example.com/hooks")
    cli.json("orders", "create", "-", stdin=order_json())
    with closing(sqlite3.connect(cli.file)) as database, database:
        database.execute("UPDATE order_events SET body = CAST('{}' AS BLOB)")
        database.execute(
            "INSERT OR REPLACE INTO cursors (reader, bucket, position, updated_at)"
            " SELECT 'webhooks', bucket, position, '2026-01-01T00:00:00.000000+00:00' FROM log_heads WHERE position > 0"
        )

    answer = cli("--json", "check")

    assert answer.code == 1
    assert "webhooks: each event has its delivery" in answer.err
