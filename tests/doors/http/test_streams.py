"""The changes of all orders are streamed to each actor who may see them, with a token or a ticket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.application.streams.feed import READING_AT_ONCE
from orderflow.application.streams.follow_orders import StreamFilter
from orderflow.application.streams.place import Place
from orderflow.domain.actor import Actor
from orderflow.domain.errors import StorageUnavailable
from orderflow.entrypoints.http import stream
from orderflow.entrypoints.http.stream import LiveStreams

from tests.support.door import BOSS, CUSTOMER, RESTAURANT, SHIPPER, Installation, calling, placed, served
from tests.support.waiting import eventually_async

DEADLINE = 60.0
EVERYTHING = StreamFilter()


class StreamFollower:
    """The messages of a stream, read line by line."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.id = ""

    async def next(self) -> tuple[str, Any]:
        """The next event and its data; comments are left out."""
        event, data = "", ""
        async with asyncio.timeout(DEADLINE):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name == "id":
                    self.id = value
                elif name == "event":
                    event = value
                elif name == "data":
                    data += value
                elif not line and data:
                    return event, json.loads(data)
        raise EOFError

    async def orders(self) -> list[str]:
        """The ids of the snapshot."""
        found: list[str] = []
        while True:
            event, page = await self.next()
            assert event == "snapshot"
            found += [order["orderId"] for order in page["orders"]]
            if page["last"]:
                return found


@asynccontextmanager
async def following(url: str, headers: dict[str, str] | None = None, query: str = "") -> AsyncIterator[StreamFollower]:
    async with (
        AsyncClient(timeout=DEADLINE, headers=headers) as client,
        client.stream("GET", f"{url}/v1/stream{query}") as response,
    ):
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield StreamFollower(response.aiter_lines())


def as_actor(actor: str) -> dict[str, str]:
    return {"X-Actor": actor}


async def test_a_snapshot_and_then_each_change_with_the_event_as_published(
    installation: Installation, boss: AsyncClient
) -> None:
    await placed(boss, customerName="Ann", metadata={"table": "12"})
    async with served(installation.app()) as server, following(server.url, as_actor(RESTAURANT)) as events:
        event, page = await events.next()
        await boss.patch("/v1/orders/O1/state", json={"state": "preparing"})
        kind, change = await events.next()

    [order] = page["orders"]
    assert (event, page["first"], page["last"]) == ("snapshot", True, True)
    assert (order["orderId"], order["customerName"], order["metadata"]) == ("O1", "Ann", {"table": "12"})
    [_, record] = await installation.storage.log.history("O1")
    assert (kind, change["orderId"], change["sequence"]) == ("order.state_changed", "O1", 2)
    assert change["event"] == json.loads(record.body)
    assert (change["order"]["version"], change["order"]["state"]) == (2, "preparing")


@pytest.mark.parametrize("where", ["header", "query"])
async def test_a_stream_resumes_after_the_id_of_its_last_message(
    installation: Installation, boss: AsyncClient, where: str
) -> None:
    async with served(installation.app()) as server:
        async with following(server.url, as_actor(BOSS)) as events:
            await events.orders()
            await placed(boss)
            await events.next()
        await placed(boss, "O2")
        headers, query = as_actor(BOSS), ""
        if where == "header":
            headers["Last-Event-ID"] = events.id
        else:
            query = f"?lastEventId={events.id}"
        async with following(server.url, headers, query) as resumed:
            event, change = await resumed.next()

    assert (event, change["orderId"]) == ("order.created", "O2")


async def test_streams_that_begin_together_read_in_turns(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = most = 0
    views = installation.storage.views
    read = views.list

    async def slowly(query: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(20):
            await asyncio.sleep(0)
        running -= 1
        return await read(query)

    monkeypatch.setattr(type(views), "list", lambda _, query: slowly(query))
    streams = LiveStreams(installation.streams, asyncio.Event())
    many = [streams.of_orders(EVERYTHING, Actor.parse(BOSS), None) for _ in range(2 * READING_AT_ONCE + 1)]
    snapshots = await asyncio.gather(*(anext(each) for each in many))  # type: ignore[call-overload]
    for each in many:
        await each.aclose()  # type: ignore[attr-defined]

    assert all(b'"last":true' in snapshot for snapshot in snapshots)
    assert most == READING_AT_ONCE


async def test_a_shipper_that_loses_an_order_sees_nothing_of_it_any_more(
    installation: Installation, boss: AsyncClient
) -> None:
    await placed(boss, address={"street": "Main Street 1", "city": "Springfield"}, customerPhone="030 123456")
    await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S3"})
    async with served(installation.app()) as server, following(server.url, as_actor(SHIPPER)) as events:
        _, page = await events.next()
        await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S4"})
        await boss.post("/v1/orders/O1/cancel", json={"reason": "late"})
        await placed(boss, "O2")
        await boss.put("/v1/orders/O2/shipper", json={"shipperId": "S3"})
        lost, gained = await events.next(), await events.next()

    assert page["orders"][0]["customerPhone"] == "030 123456"
    assert (lost[0], lost[1]["orderId"], lost[1]["order"]) == ("order.shipper_assigned", "O1", None)
    assert (gained[0], gained[1]["orderId"]) == ("order.shipper_assigned", "O2")


async def test_several_types_of_events_may_be_asked_for(installation: Installation, boss: AsyncClient) -> None:
    query = "?type=order.shipper_assigned&type=order.cancelled&restaurantId=R7"
    async with served(installation.app()) as server, following(server.url, as_actor(BOSS), query) as events:
        await events.orders()
        await placed(boss)
        await boss.put("/v1/orders/O1/shipper", json={"shipperId": "S3"})
        await boss.post("/v1/orders/O1/cancel", json={"reason": "late"})

        assert [(await events.next())[0] for _ in range(2)] == ["order.shipper_assigned", "order.cancelled"]


async def test_the_last_message_says_that_the_server_stops(installation: Installation) -> None:
    async with served(installation.app()) as server, following(server.url, as_actor(BOSS)) as events:
        await events.orders()
        server.stop.set()

        assert await events.next() == ("end", {"reason": "stopping"})
        with pytest.raises(EOFError):
            await events.next()


@pytest.mark.parametrize(
    ("query", "headers", "named"),
    [
        ("?type=order.eaten", {}, "type"),
        ("?restaurantId=R7&restaurantId=R8", {}, "restaurantId"),
        ("?restaurantId=", {}, "restaurantId"),
        ("?q=O1", {}, "q"),
        ("", {"Last-Event-ID": "nonsense"}, "Last-Event-ID"),
        ("", {"Last-Event-ID": "A" * 5_000}, "Last-Event-ID"),
        ("?lastEventId=%00", {}, "lastEventId"),
        ("?lastEventId=7", {}, "lastEventId"),
    ],
)
async def test_a_parameter_that_is_not_allowed_is_named(
    visitor: AsyncClient, query: str, headers: dict[str, str], named: str
) -> None:
    answer = await visitor.get(f"/v1/stream{query}", headers=headers)

    assert answer.status_code == 400
    [fault] = answer.json()["errors"]
    assert named in fault.values()


async def test_a_customer_cannot_follow_the_orders_of_another(installation: Installation) -> None:
    async with calling(installation.app(), CUSTOMER) as customer:
        answer = await customer.get("/v1/stream?customerId=C2")

    assert answer.status_code == 400


async def test_a_ticket_opens_one_stream_with_the_rights_of_its_maker(installation: Installation) -> None:
    secret = await installation.token(RESTAURANT)
    async with served(installation.app(trust_actor_header=False)) as server, AsyncClient() as client:
        made = await client.post(f"{server.url}/v1/stream-tickets", headers={"Authorization": f"Bearer {secret}"})
        query = f"?ticket={made.json()['ticket']}"
        async with following(server.url, query=query) as events:
            assert await events.orders() == []
            again = await client.get(f"{server.url}/v1/stream{query}")
        others = await client.get(f"{server.url}/v1/stream?ticket=nonsense")

    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    assert made.json()["expiresAt"].endswith("Z")
    assert (again.status_code, others.status_code) == (401, 401)
    assert "used" in again.json()["detail"]


async def test_a_ticket_opens_nothing_else(installation: Installation) -> None:
    secret = await installation.token(BOSS)
    async with calling(installation.app(trust_actor_header=False)) as client:
        made = await client.post("/v1/stream-tickets", headers={"Authorization": f"Bearer {secret}"})
        ticket = made.json()["ticket"]
        bearer = {"Authorization": f"Bearer {ticket}"}
        answers = [
            await client.get(f"/v1/orders?ticket={ticket}"),
            await client.get("/v1/orders", headers=bearer),
            await client.post("/v1/stream-tickets", headers=bearer),
            await client.post(f"/v1/stream-tickets?ticket={ticket}"),
        ]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 401]


async def test_a_token_to_write_only_gets_no_ticket(installation: Installation) -> None:
    secret = await installation.token(RESTAURANT, scopes={"write"})
    async with calling(installation.app(trust_actor_header=False)) as client:
        answer = await client.post("/v1/stream-tickets", headers={"Authorization": f"Bearer {secret}"})

    assert answer.json()["code"] == "insufficient_scope"


@pytest.mark.parametrize("logged_in", [False, True])
async def test_a_stream_by_ticket_ends_with_the_token(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, logged_in: bool
) -> None:
    monkeypatch.setattr(stream, "TICK", 0.01)
    secret = await installation.token(RESTAURANT)
    app = installation.app(features=["board"] if logged_in else [], trust_actor_header=False)
    async with served(app) as server, AsyncClient() as client:
        headers = {"Authorization": f"Bearer {secret}"}
        if logged_in:
            session = await client.post(f"{server.url}/board/session", json={"token": secret})
            headers = {"X-CSRF-Token": session.json()["csrfToken"]}
        made = await client.post(f"{server.url}/v1/stream-tickets", headers=headers)
        async with following(server.url, query=f"?ticket={made.json()['ticket']}") as events:
            await events.orders()
            [token] = await installation.storage.tokens.list()
            await installation.storage.tokens.revoke(token.id, at=installation.clock())

            assert await events.next() == ("end", {"reason": "unauthorized"})


async def test_a_stream_ends_if_the_storage_does_not_know_the_token_now(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable() -> bool:
        raise StorageUnavailable("database", "gone")

    monkeypatch.setattr(stream, "TICK", 0.01)
    streams = LiveStreams(installation.streams, asyncio.Event())
    async with aclosing(streams.of_orders(EVERYTHING, Actor.parse(BOSS), None, unavailable)) as messages:
        got = [message async for message in messages]

    assert got[-1] == b'event: end\ndata: {"reason":"unavailable"}\n\n'


async def test_a_stream_without_changes_shows_its_place_now_and_then(
    installation: Installation, boss: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT", 0.0)
    streams = LiveStreams(installation.streams, asyncio.Event())
    mine = streams.of_orders(StreamFilter(restaurant_id="other"), Actor.parse(BOSS), None)
    async with aclosing(mine) as messages, asyncio.timeout(DEADLINE):
        await anext(messages)
        await placed(boss)
        async for message in messages:
            place = Place.parse(message.decode().removeprefix(":\nid: ").strip(), field="id")
            if sum(place.positions):
                break

    assert sum(place.positions) == 1


@pytest.mark.parametrize("resumes", [True, False])
async def test_an_event_whose_order_has_no_row_any_more_holds_up_no_stream(
    installation: Installation, boss: AsyncClient, monkeypatch: pytest.MonkeyPatch, resumes: bool
) -> None:
    lost: set[str] = {"O1"}
    read = installation.storage.views.get_all

    async def without_lost(_: object, ids: Any) -> Any:
        return await read(set(ids) - lost)

    monkeypatch.setattr(type(installation.storage.views), "get_all", without_lost)
    async with served(installation.app()) as server:
        async with following(server.url, as_actor(BOSS)) as events:
            await events.orders()
            first = events.id
            await placed(boss, "O1")
            if not resumes:
                await placed(boss, "O2")
                _, change = await events.next()
        if resumes:
            async with following(server.url, as_actor(BOSS), f"?lastEventId={first}") as resumed:
                await placed(boss, "O2")
                _, change = await resumed.next()

    assert change["orderId"] == "O2"


async def test_an_event_that_cannot_be_read_ends_the_streams_and_says_so(
    installation: Installation, boss: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def damaged(*_: object, **__: object) -> Any:
        raise ValueError("it is damaged")

    async with served(installation.app()) as server, following(server.url, as_actor(BOSS)) as events:
        await events.orders()
        with monkeypatch.context() as patched:
            patched.setattr(type(installation.storage.log), "read", damaged)
            await placed(boss, "O1")
            ended = await events.next()
        async with following(server.url, as_actor(BOSS)) as again:
            await again.orders()
            await placed(boss, "O2")
            _, change = await again.next()

    assert ended == ("end", {"reason": "unavailable"})
    assert change["orderId"] == "O2"


async def test_nothing_runs_without_streams(installation: Installation) -> None:
    streams = LiveStreams(installation.streams, asyncio.Event())
    async with aclosing(streams.of_orders(EVERYTHING, Actor.parse(BOSS), None)) as messages:
        await anext(messages)
        assert running() == {"live streams", "closing of streams"}

    await eventually_async(lambda: running() == set(), deadline=DEADLINE)


async def test_a_stream_that_closes_at_the_moment_of_a_commit_leaves_nothing_behind_that_doubles_events(
    installation: Installation, boss: AsyncClient
) -> None:
    streams = LiveStreams(installation.streams, asyncio.Event())
    async with aclosing(streams.of_orders(EVERYTHING, Actor.parse(BOSS), None)) as messages:
        await anext(messages)
        await eventually_async(lambda: bool(installation.news._waiters), deadline=DEADLINE)
        installation.news.notify()

    async with aclosing(streams.of_orders(EVERYTHING, Actor.parse(BOSS), None)) as messages:
        await anext(messages)
        await placed(boss, "O1")
        await placed(boss, "O2")
        changes = [await anext(messages) for _ in range(2)]

    assert [b'"orderId":"O1"' in changes[0], b'"orderId":"O2"' in changes[1]] == [True, True]
    await eventually_async(lambda: running() == set(), deadline=DEADLINE)


def running() -> set[str]:
    names = {task.get_name() for task in asyncio.all_tasks()}
    return names & {"live streams", "closing of streams"}
