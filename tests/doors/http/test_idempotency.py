"""A request with an idempotency key is executed once."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.adapters.memory.storage import MemoryCommitter
from orderflow.adapters.payment_gateway.sandbox import DECLINE, SUCCESS
from orderflow.application.orders.write_set import WriteSet
from orderflow.domain.errors import Conflict
from orderflow.domain.text import shown

from tests.support.door import Installation, an_order, calling, placed


@contextmanager
def commits_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Hold commits. The first event is set when one waits, the second releases them."""
    waiting, release = asyncio.Event(), asyncio.Event()
    commit = MemoryCommitter.commit_together

    async def later(self: MemoryCommitter, sets: Sequence[WriteSet]) -> Sequence[Conflict | None]:
        waiting.set()
        await release.wait()
        return await commit(self, sets)

    monkeypatch.setattr(MemoryCommitter, "commit_together", later)
    yield waiting, release


async def test_the_first_response_is_returned_again_for_the_same_key_and_body(
    installation: Installation, boss: AsyncClient
) -> None:
    first = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"})
    installation.clock.forward(minutes=5)

    repeated = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"})

    assert (repeated.status_code, repeated.content) == (first.status_code, first.content)
    assert {name: repeated.headers[name] for name in ("etag", "location")} == {
        name: first.headers[name] for name in ("etag", "location")
    }
    assert "idempotent-replayed" not in first.headers
    assert repeated.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "state", {"state": "preparing"}),
        ("PATCH", "state", {"state": "cancelled", "reason": "too late"}),
        ("PUT", "shipper", {"shipperId": "S3"}),
        ("POST", "payment", {}),
        ("POST", "cancel", {"reason": "too late"}),
    ],
)
async def test_every_change_is_made_once_for_its_key(
    boss: AsyncClient, method: str, path: str, body: dict[str, Any]
) -> None:
    await placed(boss)

    async def request() -> Any:
        return await boss.request(method, f"/v1/orders/O1/{path}", json=body, headers={"Idempotency-Key": "K1"})

    first = await request()
    repeated = await request()

    assert (first.status_code, repeated.status_code) == (200, 200)
    assert (repeated.content, repeated.headers.get("idempotent-replayed")) == (first.content, "true")


async def test_another_spelling_of_the_path_is_the_same_request(boss: AsyncClient) -> None:
    await placed(boss)
    headers = {"Idempotency-Key": "K1"}
    first = await boss.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers=headers)

    repeated = await boss.patch("/v1/orders/%4F%31/state", json={"state": "preparing"}, headers=headers)

    assert (repeated.status_code, repeated.content) == (200, first.content)


async def test_the_stored_response_does_not_change_with_the_order(boss: AsyncClient) -> None:
    await placed(boss)
    first = await boss.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers={"Idempotency-Key": "K1"})
    await boss.post("/v1/orders/O1/cancel", json={"reason": "too late"})

    repeated = await boss.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers={"Idempotency-Key": "K1"})

    assert repeated.json() == first.json()


async def test_a_key_with_another_body_is_refused(boss: AsyncClient) -> None:
    await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"})

    answer = await boss.post("/v1/orders", json=an_order(totalPrice=30), headers={"Idempotency-Key": "K1"})

    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")


async def test_a_key_with_another_order_is_refused(boss: AsyncClient) -> None:
    await placed(boss, "O1")
    await placed(boss, "O2")
    await boss.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers={"Idempotency-Key": "K1"})

    answer = await boss.patch("/v1/orders/O2/state", json={"state": "preparing"}, headers={"Idempotency-Key": "K1"})

    assert answer.status_code == 422


async def test_two_callers_may_use_the_same_key(boss: AsyncClient) -> None:
    first = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"})

    other = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1", "X-Actor": "customer:C1"})

    assert other.json()["orderId"] != first.json()["orderId"]


async def test_a_refused_request_does_not_use_its_key(boss: AsyncClient) -> None:
    await placed(boss)
    early = await boss.patch("/v1/orders/O1/state", json={"state": "delivered"}, headers={"Idempotency-Key": "K1"})
    for body in ({"state": "preparing"}, {"state": "on_the_way", "shipperId": "S3"}):
        await boss.patch("/v1/orders/O1/state", json=body)

    later = await boss.patch("/v1/orders/O1/state", json={"state": "delivered"}, headers={"Idempotency-Key": "K1"})

    assert (early.status_code, later.status_code) == (409, 200)


async def test_a_repeated_request_is_refused_while_the_first_is_running(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "K1"}
    async with calling(installation.app()) as client:
        with commits_held(monkeypatch) as (waiting, release):
            first = asyncio.create_task(client.post("/v1/orders", json=an_order(), headers=headers))
            await waiting.wait()

            concurrent = await client.post("/v1/orders", json=an_order(), headers=headers)
            release.set()
            done = await first

    assert (concurrent.status_code, concurrent.json()["code"]) == (409, "request_running")
    assert concurrent.headers["retry-after"] == "1"
    assert done.status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"])
async def test_an_invalid_key_is_named(boss: AsyncClient, key: str) -> None:
    answer = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": key.encode("latin-1")})

    [fault] = answer.json()["errors"]
    assert (answer.status_code, fault["header"]) == (400, "Idempotency-Key")
    assert fault["problem"] == f"{shown(key)} is no key"


async def test_a_card_is_charged_once_for_a_key(installation: Installation, boss: AsyncClient) -> None:
    await placed(boss, paymentMethod="card", cardToken=SUCCESS)

    answers = [await boss.post("/v1/orders/O1/payment", json={}, headers={"Idempotency-Key": "K1"}) for _ in range(2)]

    assert [answer.json()["paymentStatus"] for answer in answers] == ["paid", "paid"]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert sorted(installation.gateway.moved) == ["O1:authorize:1", "O1:capture:1"]


async def test_a_declined_card_is_not_charged_again_for_its_key(installation: Installation, boss: AsyncClient) -> None:
    await placed(boss, paymentMethod="card", cardToken=DECLINE)

    first, repeated = [
        await boss.post("/v1/orders/O1/payment", json={}, headers={"Idempotency-Key": "K1"}) for _ in range(2)
    ]

    assert (first.json()["paymentStatus"], repeated.content) == ("failed", first.content)
    assert [attempt.number for attempt in await installation.storage.attempts.of_order("O1")] == [1]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "stream-tickets", None),
        ("POST", "webhook-endpoints", {"url": "https://hooks.example/"}),
        ("POST", "customers/C1/erase", {"reason": "asked for"}),
        ("PUT", "operations/publishing", {"percent": 10, "reason": "a first step"}),
    ],
)
@pytest.mark.parametrize("header", ["Idempotency-Key", "If-Match"])
@pytest.mark.features("webhooks", "customers", "operations")
async def test_a_header_that_is_not_compared_is_refused(
    boss: AsyncClient, method: str, path: str, body: dict[str, Any] | None, header: str
) -> None:
    answer = await boss.request(method, f"/v1/{path}", json=body, headers={header: '"1"'})

    assert (answer.status_code, answer.json()["errors"][0]["header"]) == (400, header)
