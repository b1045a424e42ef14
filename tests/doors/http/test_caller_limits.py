"""Limits of each caller."""

import asyncio
import re
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.application.orders.get_order import GetOrder
from orderflow.application.orders.list_orders import ListOrders
from orderflow.application.orders.queries import OrderPage, OrderQuery
from orderflow.entrypoints.http.caller_limits import LOGINS, CallerLimits, Callers, TooManyRequests
from orderflow.entrypoints.http.calls import LISTS_AT_ONCE
from orderflow.entrypoints.http.reads import SLICE

from tests.support.door import BOSS, CUSTOMER, Installation, calling, placed
from tests.support.metrics import Samples

DEADLINE = 60.0


async def test_a_caller_above_the_rate_is_refused_until_the_next_second(installation: Installation) -> None:
    async with calling(installation.app(limits={"requests_per_second": 1})) as boss:
        responses = [await boss.get("/v1/orders") for _ in range(50)]
        other = await boss.get("/v1/orders", headers={"X-Actor": CUSTOMER})

    refused = [response for response in responses if response.status_code == 429]
    assert refused, "50 requests took more than 50 seconds"
    assert responses[0].status_code == other.status_code == 200
    assert refused[0].headers["retry-after"] == "1"
    assert refused[0].json()["code"] == "too_many_requests"
    assert refused[0].headers["ratelimit"] == '"caller";r=0;t=1'


async def test_every_response_has_the_headers_of_the_rate(boss: AsyncClient) -> None:
    listed, missing = await boss.get("/v1/orders"), await boss.get("/v1/orders/O1")

    for response in (listed, missing):
        assert response.headers["ratelimit-policy"] == '"caller";q=500;w=1'
        assert re.fullmatch(r'"caller";r=\d+;t=1', response.headers["ratelimit"])


async def test_requests_without_a_token_are_limited_by_address(installation: Installation) -> None:
    async with calling(installation.app(limits={"requests_per_second": 1}, trust_actor_header=False)) as anonymous:
        statuses = {(await anonymous.get("/v1/orders")).status_code for _ in range(50)}

    assert statuses == {401, 429}


async def test_refusals_are_counted_by_the_limit(installation: Installation) -> None:
    instruments = Instruments()

    app = installation.app(limits={"requests_per_second": 1}, instruments=instruments)
    async with calling(app) as boss:
        statuses = [(await boss.get("/v1/orders")).status_code for _ in range(50)]

    assert Samples.counted(instruments).by(catalogue.HTTP_REFUSALS, "reason") == {"request_rate": statuses.count(429)}


@pytest.mark.parametrize("kind", ["requests", "streams", "batches", "exports"])
async def test_what_a_caller_has_at_once_is_counted_by_its_kind_when_it_is_refused(kind: str) -> None:
    instruments = Instruments()
    callers = Callers(CallerLimits(requests=20, streams=2), instruments)

    done = await asyncio.gather(*(callers.admit({}, BOSS, kind=kind) for _ in range(50)), return_exceptions=True)

    refused = sum(isinstance(each, TooManyRequests) for each in done)
    assert refused >= 30
    assert Samples.counted(instruments).by(catalogue.HTTP_REFUSALS, "reason") == {f"{kind}_at_once": refused}


async def test_refused_attempts_to_log_in_are_counted() -> None:
    instruments = Instruments()
    callers = Callers(CallerLimits(), instruments)

    attempts = (callers.admit_login("192.0.2.1") for _ in range(LOGINS + 1))
    done = await asyncio.gather(*attempts, return_exceptions=True)

    assert [type(each) for each in done if each is not None] == [TooManyRequests]
    assert Samples.counted(instruments).by(catalogue.HTTP_REFUSALS, "reason") == {"logins": 1}


async def test_health_is_not_limited(installation: Installation) -> None:
    async with calling(installation.app(limits={"requests_per_second": 1})) as boss:
        statuses = {(await boss.get(path)).status_code for _ in range(10) for path in ("/livez", "/readyz")}

    assert statuses == {200}


async def test_a_caller_has_so_many_requests_at_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()
    get_order = GetOrder.__call__

    async def slow(self: GetOrder, order_id: str, **by: object) -> object:
        waiting.set()
        await go_on.wait()
        return await get_order(self, order_id, **by)  # type: ignore[arg-type]

    async with calling(installation.app(limits={"requests": 1}), BOSS) as boss, asyncio.timeout(DEADLINE):
        await placed(boss)
        with monkeypatch.context() as patched:
            patched.setattr(GetOrder, "__call__", slow)
            first = asyncio.create_task(boss.get("/v1/orders/O1"))
            await waiting.wait()
            second = await boss.get("/v1/orders")
            other = await boss.get("/v1/orders", headers={"X-Actor": CUSTOMER})
            go_on.set()
        answered = await first
        third = await boss.get("/v1/orders")

    assert (second.status_code, other.status_code) == (429, 200)
    assert (answered.status_code, third.status_code) == (200, 200)


async def test_a_page_of_large_orders_ends_early(boss: AsyncClient) -> None:
    line = {"foodName": "x" * 200, "foodId": "F", "price": 1, "quantity": 1}
    for number in range(60):
        await placed(boss, f"O{number:02}", orderDetails=[line] * 100)

    first = await boss.get("/v1/orders?limit=200")
    rest = await boss.get(f"/v1/orders?limit=200&cursor={first.json()['nextCursor']}")

    ids = [order["orderId"] for page in (first, rest) for order in page.json()["orders"]]
    assert ids == [f"O{number:02}" for number in reversed(range(60))]
    assert len(first.content) < 1_100_000


async def test_lists_are_read_in_slices_and_few_at_a_time(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_orders = ListOrders.__call__
    reading, most, sizes = 0, 0, set()

    async def counted(self: ListOrders, query: OrderQuery, **by: Any) -> OrderPage:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0)  # so that the others begin, if they may
        page = await list_orders(self, query, **by)
        reading -= 1
        sizes.add(len(page.orders))
        return page

    async with calling(installation.app()) as boss:
        for number in range(120):
            await placed(boss, f"O{number:03}")
        monkeypatch.setattr(ListOrders, "__call__", counted)
        pages = await asyncio.gather(*(boss.get("/v1/orders?limit=110") for _ in range(20)))

    assert {len(page.json()["orders"]) for page in pages} == {110}
    assert [order["orderId"] for order in pages[0].json()["orders"]] == [
        f"O{number:03}" for number in reversed(range(10, 120))
    ]
    assert max(sizes) <= SLICE
    assert most <= LISTS_AT_ONCE
