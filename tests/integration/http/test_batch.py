"""Batches of orders on every storage, and over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.adapters.memory.storage import MemoryCommitter
from orderflow.entrypoints.container import Container, container_for
from orderflow.entrypoints.http import create_app
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from tests.doors.http.test_batch import LINES, PATH, as_lines, statuses
from tests.support.door import BOSS, Installation, an_order, calling, served
from tests.support.waiting import eventually_async

DEADLINE = 60.0


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue(f"{request.param}_url"))


@asynccontextmanager
async def door(url: str, **settings: Any) -> AsyncIterator[tuple[AsyncClient, Container]]:
    """A client of the API on the database at ``url``."""
    container: Any = container_for(Settings(database_url=url, **settings))
    async with opened(container):
        app = create_app(
            container.use_cases(),
            tokens=container.tokens(),
            checks={},
            trust_actor_header=True,
            limits={"requests_per_second": 100_000},
        )
        async with calling(app) as client:
            yield client, container


async def events_of(container: Any) -> int:
    """Return the number of events in the log."""
    return sum((await container.storage().log.heads()).values())


async def test_a_batch_is_committed_in_groups_and_a_bad_order_fails_alone(url: str) -> None:
    orders = [an_order(orderId=f"O{number}") for number in range(300)]
    orders[7] = an_order(orderId="O7", orderDetails=[])
    orders[100] = an_order(orderId="O99", userId="C2")
    orders[200] = an_order(orderId="O199")
    async with door(url) as (boss, container):
        results = await as_lines(boss, orders)
        again = await as_lines(boss, orders)
        events = await events_of(container)

    assert {n: s for n, s in enumerate(statuses(results)) if s != 201} == {7: 400, 100: 409}
    assert statuses(again) == statuses(results)
    assert [r.get("order") for r in again] == [r.get("order") for r in results]
    assert events == 297


async def test_keys_of_a_batch_are_stored_with_their_orders(url: str) -> None:
    orders = [an_order(idempotencyKey=f"K{number % 40}") for number in range(50)]
    async with door(url) as (boss, container):
        results = await as_lines(boss, orders)
        again = await as_lines(boss, orders)
        events = await events_of(container)

    assert set(statuses(results)) == {201}
    assert [r.get("replayed", False) for r in results] == [False] * 40 + [True] * 10
    assert all(r["replayed"] for r in again)
    assert [r["order"] for r in again] == [r["order"] for r in results]
    assert events == 40


async def test_two_batches_with_the_same_orders_create_each_once(url: str) -> None:
    orders = [an_order(orderId=f"O{number}") for number in range(100)]
    async with door(url) as (boss, container):
        one, other = await asyncio.gather(as_lines(boss, orders), as_lines(boss, orders[::-1]))
        events = await events_of(container)

    assert set(statuses(one) + statuses(other)) == {201}
    assert events == 100


async def test_orders_for_which_the_commit_queue_is_full_are_refused_and_may_be_sent_again(url: str) -> None:
    orders = [an_order(orderId=f"O{number}") for number in range(100)]
    async with door(url, commit_queue=1, commit_group=1) as (boss, container):
        results = await as_lines(boss, orders)
        first = await events_of(container)
        refused = [result for result in results if result["status"] == 503]
        left = [orders[result["index"]] for result in refused]
        while left:
            results = await as_lines(boss, left)
            left = [left[result["index"]] for result in results if result["status"] == 503]
        events = await events_of(container)

    assert first == 100 - len(refused)
    assert {result["problem"]["code"] for result in refused} <= {"storage_busy"}
    assert {result["retryAfter"] for result in refused} <= {1}
    assert refused or url == "memory://"
    assert events == 100


async def test_a_batch_is_carried_out_although_its_client_disconnects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation, waiting, release = Installation(), asyncio.Event(), asyncio.Event()
    commit = MemoryCommitter.commit_together

    async def later(self: MemoryCommitter, sets: Any) -> Any:
        waiting.set()
        await release.wait()
        return await commit(self, sets)

    monkeypatch.setattr(MemoryCommitter, "commit_together", later)
    body = b"\n".join(json.dumps(an_order(orderId=f"O{number}")).encode() for number in range(50))
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Actor: {BOSS}\r\nContent-Type: {LINES['content-type']}\r\n"
    async with served(installation.app()) as server, asyncio.timeout(DEADLINE):
        host, _, port = server.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await waiting.wait()
        writer.transport.abort()
        release.set()

        async def all_are_there() -> bool:
            return sum((await installation.storage.log.heads()).values()) == 50

        await eventually_async(all_are_there)


async def test_a_batch_that_does_not_arrive_completely_creates_nothing(installation: Installation) -> None:
    order = json.dumps(an_order()).encode() + b"\n"
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Actor: {BOSS}\r\nContent-Type: {LINES['content-type']}\r\n"
    async with served(installation.app()) as server, asyncio.timeout(DEADLINE):
        host, _, port = server.url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"{head}Content-Length: {10 * len(order)}\r\n\r\n".encode() + 9 * order)
        await writer.drain()
        writer.transport.abort()
        async with AsyncClient(base_url=server.url, headers={"X-Actor": BOSS}) as boss:
            stored = (await boss.get("/v1/orders")).json()["orders"]

    assert stored == []
