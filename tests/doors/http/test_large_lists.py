"""A list of large orders is decoded and rendered in steps, between which other requests have their turn."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient
from orderflow.adapters.sql import order_queries as rows
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.http import create_app, reads
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.databases import migrated
from tests.support.door import an_order, calling, placed

LARGE = [{"foodId": "F", "foodName": "x" * 200, "price": 1, "quantity": 1}] * 100


@pytest.fixture
async def boss(tmp_path: Path) -> AsyncIterator[AsyncClient]:
    container: Any = container_for(Settings(database_url=migrated(f"sqlite:///{tmp_path / 'orders.db'}")))
    async with opened(container):
        app = create_app(
            container.use_cases(),
            tokens=container.tokens(),
            checks={},
            analytics=None,
            currency="USD",
            trust_actor_header=True,
        )
        async with calling(app) as client:
            yield client


@pytest.mark.parametrize(("module", "step"), [(rows, "order_of"), (reads, "render")])
async def test_no_two_large_orders_are_handled_without_a_turn_for_others(
    boss: AsyncClient, monkeypatch: pytest.MonkeyPatch, module: Any, step: str
) -> None:
    for number in range(30):
        await placed(boss, f"O{number}", **an_order(orderDetails=LARGE))
    handle: Callable[..., Any] = getattr(module, step)
    turns, at = 0, list[int]()

    def noting(*arguments: Any) -> Any:
        at.append(turns)
        return handle(*arguments)

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(module, step, noting)
    counting = asyncio.create_task(count_turns())
    answer = await boss.get("/v1/orders?limit=30")
    counting.cancel()

    assert len(answer.json()["orders"]) == 30
    assert len(at) >= 30
    assert max(at.count(turn) for turn in at) <= 2


async def test_reads_of_one_order_at_the_same_time_share_queries(
    boss: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await placed(boss, "O1")
    get_all, queries = rows.SqlOrderQueries.get_all, list[int]()

    async def counted(self: rows.SqlOrderQueries, order_ids: Any) -> Any:
        queries.append(len(order_ids))
        return await get_all(self, order_ids)

    monkeypatch.setattr(rows.SqlOrderQueries, "get_all", counted)
    answers = await asyncio.gather(*(boss.get("/v1/orders/O1") for _ in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(queries) < 10
