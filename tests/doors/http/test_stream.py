"""The events of an order are streamed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from httpx import AsyncClient
from orderflow.application.orders.get_order import GetOrder
from orderflow.domain.actor import Actor
from orderflow.domain.errors import StorageUnavailable
from orderflow.domain.events import OrderCreated
from orderflow.domain.order import Order
from orderflow.entrypoints.http import stream
from orderflow.entrypoints.http.auth import Authenticator
from orderflow.entrypoints.http.log_limit import LINES
from orderflow.entrypoints.http.stream import LiveStreams

from tests.support.door import BOSS, CUSTOMER, SHIPPER, Installation, calling, placed
from tests.support.garbage import living
from tests.support.waiting import eventually_async

DEADLINE = 60.0


@pytest.fixture
def closing() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def events(installation: Installation, closing: asyncio.Event) -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield the stream of O1 from its first event."""
    async with aclosing(LiveStreams(installation.streams, closing).of_order("O1", 0, Actor.parse(BOSS))) as following:
        yield following


async def next_of(events: AsyncIterator[bytes]) -> dict[str, str]:
    """Return the fields of the next message."""
    async with asyncio.timeout(DEADLINE):
        message = await anext(events)
    assert message.endswith(b"\n\n")
    return dict(line.split(": ", 1) for line in message.decode().splitlines() if line)


async def rest_of(events: AsyncIterator[bytes]) -> list[bytes]:
    async with asyncio.timeout(DEADLINE):
        return [message async for message in events]


async def test_past_events_are_streamed_first_and_then_new_ones(
    boss: AsyncClient, events: AsyncIterator[bytes]
) -> None:
    await placed(boss)
    past = await next_of(events)

    await boss.patch("/v1/orders/O1/state", json={"state": "preparing"})
    present = await next_of(events)

    assert (past["id"], past["event"]) == ("1", "order.created")
    assert (present["id"], present["event"]) == ("2", "order.state_changed")


async def test_the_stream_of_a_shipper_who_loses_the_order_ends_with_that_event(
    installation: Installation, boss: AsyncClient, closing: asyncio.Event
) -> None:
    await placed(boss)
    await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S3"})

    async with aclosing(
        LiveStreams(installation.streams, closing).of_order("O1", 0, Actor.parse(SHIPPER))
    ) as following:
        for _ in ("order.created", "order.shipper_assigned", "order.state_changed"):
            await next_of(following)
        await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S4"})
        rest = await rest_of(following)

    assert [message.split(b"\n")[1] for message in rest] == [b"event: order.shipper_assigned"]


async def test_a_stream_that_waits_keeps_no_decoded_event(boss: AsyncClient, events: AsyncIterator[bytes]) -> None:
    await placed(boss)
    before = decoded_events()

    await next_of(events)
    waiting = asyncio.create_task(next_of(events))
    await eventually_async(lambda: decoded_events() == before, deadline=DEADLINE)

    await boss.patch("/v1/orders/O1/state", json={"state": "preparing"})
    assert (await waiting)["id"] == "2"


def decoded_events() -> int:
    return sum(1 for _ in living(OrderCreated))


async def test_a_message_contains_the_event_as_published(
    installation: Installation, boss: AsyncClient, events: AsyncIterator[bytes]
) -> None:
    await placed(boss)

    message = await next_of(events)

    (record,) = await installation.storage.log.history("O1")
    assert message["data"].encode() == record.body


async def test_the_stream_ends_with_the_order(boss: AsyncClient, events: AsyncIterator[bytes]) -> None:
    await placed(boss)
    await next_of(events)

    await boss.post("/v1/orders/O1/cancel", json={"reason": "too late"})
    rest = await rest_of(events)

    assert [message.split(b"\n")[1] for message in rest] == [b"event: order.state_changed", b"event: order.cancelled"]


async def test_the_stream_ends_when_the_server_closes(
    boss: AsyncClient, events: AsyncIterator[bytes], closing: asyncio.Event
) -> None:
    await placed(boss)
    await next_of(events)

    closing.set()
    rest = await rest_of(events)

    assert rest == []


async def test_the_stream_ends_if_storage_fails(
    installation: Installation, boss: AsyncClient, closing: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = asyncio.Event()

    async def authorized() -> bool:
        if failing.is_set():
            raise StorageUnavailable("database", "gone")
        return True

    monkeypatch.setattr(stream, "TICK", 0.01)
    await placed(boss)
    events = LiveStreams(installation.streams, closing).of_order("O1", 0, Actor.parse(BOSS), authorized)
    await next_of(events)

    failing.set()
    rest = await rest_of(events)

    assert rest == []


async def test_comments_are_sent_while_there_are_no_events(
    boss: AsyncClient, events: AsyncIterator[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.0)
    await placed(boss)
    await next_of(events)

    async with asyncio.timeout(DEADLINE):
        message = await anext(events)

    assert message == b":\n\n"


async def delivered(client: AsyncClient) -> None:
    await placed(client)
    for body in ({"state": "preparing"}, {"state": "on_the_way", "shipperId": "S3"}, {"state": "delivered"}):
        assert (await client.patch("/v1/orders/O1/state", json=body)).status_code == 200


async def test_all_events_of_a_finished_order_are_streamed(boss: AsyncClient) -> None:
    await delivered(boss)

    answer = await boss.get("/v1/orders/O1/stream")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [line for line in answer.text.splitlines() if line.startswith("id:")] == [f"id: {n}" for n in range(1, 8)]


async def test_a_stream_continues_after_the_last_event_id(boss: AsyncClient) -> None:
    await delivered(boss)

    answer = await boss.get("/v1/orders/O1/stream", headers={"Last-Event-ID": "5"})

    assert [line for line in answer.text.splitlines() if line.startswith("id:")] == ["id: 6", "id: 7"]


async def test_a_stream_without_further_events_is_204(boss: AsyncClient) -> None:
    await delivered(boss)

    answer = await boss.get("/v1/orders/O1/stream", headers={"Last-Event-ID": "7"})

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("seen", ["one", "-1", "1.5", "9" * 10])
async def test_an_invalid_last_event_id_is_named(boss: AsyncClient, seen: str) -> None:
    await placed(boss)

    answer = await boss.get("/v1/orders/O1/stream", headers={"Last-Event-ID": seen})

    assert answer.status_code == 400
    assert [fault["header"] for fault in answer.json()["errors"]] == ["Last-Event-ID"]


@pytest.mark.parametrize("finish", [placed, delivered])
async def test_a_last_event_id_that_the_order_has_not_reached_is_refused(boss: AsyncClient, finish: Any) -> None:
    await finish(boss)
    version = (await boss.get("/v1/orders/O1")).json()["version"]

    answer = await boss.get("/v1/orders/O1/stream", headers={"Last-Event-ID": "99"})

    assert answer.status_code == 400
    problem = {"problem": "order 'O1' has no event 99", "allowed": f"0 to {version}, its latest event"}
    assert answer.json()["errors"] == [{"header": "Last-Event-ID", **problem}]


async def test_many_streams_that_end_leave_few_log_lines(
    installation: Installation, closing: asyncio.Event, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(order_id: str) -> Order:
        raise StorageUnavailable("database", "all its connections are busy")

    follow_order = evolve(installation.streams.follow_order, get_order=GetOrder(fail))
    streams = LiveStreams(evolve(installation.streams, follow_order=follow_order), closing)
    for _ in range(3 * LINES):
        assert await rest_of(streams.of_order("O1", 0, Actor.parse(BOSS))) == []

    assert caplog.messages.count("a live stream ended") == LINES


@pytest.mark.parametrize("right", ["a revoked token", "a token of a provider that has expired"])
async def test_a_stream_ends_with_the_right_to_it(installation: Installation, right: str) -> None:
    authenticator = Authenticator(installation.storage.tokens, trust_actor_header=False)
    headers = {"authorization": f"Bearer {await installation.token(CUSTOMER)}"}
    grant = await authenticator(headers, "127.0.0.1")
    async with calling(installation.app(trust_actor_header=False), CUSTOMER) as client:
        client.headers.update(headers)
        await placed(client)
    expires = "provider" in right
    if expires:
        grant = evolve(grant, expires_at=datetime.now(UTC) + timedelta(hours=1))
    held = [grant]

    async def authorized() -> bool:
        return await authenticator.still_grants(held[0], headers, "127.0.0.1")

    stream = LiveStreams(installation.streams, asyncio.Event()).of_order("O1", 0, Actor.parse(CUSTOMER), authorized)
    first = await anext(stream)

    if expires:
        held[0] = evolve(grant, expires_at=datetime.now(UTC))
    else:
        [token] = await installation.storage.tokens.list()
        await installation.storage.tokens.revoke(token.id, at=installation.clock())

    assert first.startswith(b"id: 1\n")
    assert [event async for event in stream] == []
