"""Idempotency keys: asked again, done once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.adapters.memory.storage import MemoryCommitter
from orderflow.adapters.payment_gateway.sandbox import SUCCESS
from orderflow.application.orders.write_set import WriteSet

from tests.support.door import Installation, an_order, calling, placed


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Commits wait: the first event tells that one does, the second lets them go on."""
    waiting, go_on = asyncio.Event(), asyncio.Event()
    commit = MemoryCommitter.commit

    async def later(self: MemoryCommitter, writes: WriteSet) -> None:
        waiting.set()
        await go_on.wait()
        await commit(self, writes)

    monkeypatch.setattr(MemoryCommitter, "commit", later)
    yield waiting, go_on


async def test_the_same_key_and_body_get_the_first_answer_again(installation: Installation, boss: AsyncClient) -> None:
    first = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"})
    installation.clock.forward(minutes=5)

    again = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"})

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert {name: again.headers[name] for name in ("etag", "location")} == {
        name: first.headers[name] for name in ("etag", "location")
    }
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "state", {"state": "preparing"}),
        ("PUT", "shipper", {"shipperId": "S3"}),
        ("POST", "payment", {}),
        ("POST", "cancel", {"reason": "too late"}),
    ],
)
async def test_every_change_is_done_once_under_its_key(
    boss: AsyncClient, method: str, path: str, body: dict[str, Any]
) -> None:
    await placed(boss)

    async def ask() -> Any:
        return await boss.request(method, f"/v1/orders/O1/{path}", json=body, headers={"Idempotency-Key": "K1"})

    first = await ask()
    again = await ask()

    assert (first.status_code, again.status_code) == (200, 200)
    assert (again.content, again.headers.get("idempotent-replayed")) == (first.content, "true")


async def test_the_answer_stays_what_it_was_when_the_order_has_moved_on(boss: AsyncClient) -> None:
    await placed(boss)
    first = await boss.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers={"Idempotency-Key": "K1"})
    await boss.post("/v1/orders/O1/cancel", json={"reason": "too late"})

    again = await boss.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers={"Idempotency-Key": "K1"})

    assert again.json() == first.json()


async def test_a_key_that_comes_with_another_body_is_refused(boss: AsyncClient) -> None:
    await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"})

    answer = await boss.post("/v1/orders", json=an_order(totalPrice=30), headers={"Idempotency-Key": "K1"})

    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")


async def test_a_key_that_comes_with_another_order_is_refused(boss: AsyncClient) -> None:
    await placed(boss, "O1")
    await placed(boss, "O2")
    await boss.patch("/v1/orders/O1/state", json={"state": "preparing"}, headers={"Idempotency-Key": "K1"})

    answer = await boss.patch("/v1/orders/O2/state", json={"state": "preparing"}, headers={"Idempotency-Key": "K1"})

    assert answer.status_code == 422


async def test_two_callers_may_choose_the_same_key(boss: AsyncClient) -> None:
    first = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1"})

    other = await boss.post(
        "/v1/orders", json=an_order(), headers={"Idempotency-Key": "K1", "X-Actor": "restaurant:R7"}
    )

    assert other.json()["orderId"] != first.json()["orderId"]


async def test_a_refused_request_leaves_its_key_free(boss: AsyncClient) -> None:
    await placed(boss)
    early = await boss.patch("/v1/orders/O1/state", json={"state": "delivered"}, headers={"Idempotency-Key": "K1"})
    for body in ({"state": "preparing"}, {"state": "on_the_way", "shipperId": "S3"}):
        await boss.patch("/v1/orders/O1/state", json=body)

    later = await boss.patch("/v1/orders/O1/state", json={"state": "delivered"}, headers={"Idempotency-Key": "K1"})

    assert (early.status_code, later.status_code) == (409, 200)


async def test_a_request_that_is_still_running_is_not_run_beside_itself(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Idempotency-Key": "K1"}
    async with calling(installation.app()) as client:
        with held(monkeypatch) as (waiting, go_on):
            first = asyncio.create_task(client.post("/v1/orders", json=an_order(), headers=headers))
            await waiting.wait()

            beside = await client.post("/v1/orders", json=an_order(), headers=headers)
            go_on.set()
            done = await first

    assert (beside.status_code, beside.json()["code"], beside.headers["retry-after"]) == (409, "request_running", "1")
    assert done.status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9"])
async def test_a_key_that_is_none_is_named(boss: AsyncClient, key: str) -> None:
    answer = await boss.post("/v1/orders", json=an_order(), headers={"Idempotency-Key": key.encode("latin-1")})

    assert answer.status_code == 400
    assert [fault["header"] for fault in answer.json()["errors"]] == ["Idempotency-Key"]


async def test_a_card_is_charged_once_under_a_key(installation: Installation, boss: AsyncClient) -> None:
    await placed(boss, paymentMethod="card", cardToken=SUCCESS)

    answers = [await boss.post("/v1/orders/O1/payment", json={}, headers={"Idempotency-Key": "K1"}) for _ in range(2)]

    assert [answer.json()["paymentStatus"] for answer in answers] == ["paid", "paid"]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert sorted(installation.gateway.moved) == ["O1:authorize:1", "O1:capture:1"]
