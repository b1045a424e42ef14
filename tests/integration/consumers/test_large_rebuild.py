"""A rebuild of very many orders is swapped in at a cost that grows with their number, and not with its square."""

import re
from typing import Any

import pytest
from attrs import evolve
from orderflow.application.analytics.order_progress import OrderProgress
from orderflow.testing.consumers.shop import Shop
from orderflow.testing.consumers.world import World
from sqlalchemy import event, text

MANY = 2_000


@pytest.fixture
def url(migrated_url: str) -> str:
    return migrated_url


async def test_progress_that_is_the_same_already_is_found_by_its_order(world: World) -> None:
    shop = Shop()
    await shop.live("o1")
    await world.handling()(await shop.records())
    progress = (await world.effects.analytics.of_orders(["o1"]))["o1"]
    await _swapped(world, progress)

    asked = await _swapped(world, progress)

    plan = await _plan(world, *next(it for it in asked if it[0].startswith("INSERT INTO order_progress (")))
    assert re.search(r"(Hash|Merge|Index) Cond: .*order_id\)?(::text)? = ", plan), plan


async def _swapped(world: World, progress: OrderProgress) -> list[tuple[str, Any]]:
    """Swap in MANY copies of an order's progress, and return the statements that the database got."""
    await world.effects.analytics_shadow.begin("run")
    async with world.effects.analytics_shadow.store("run") as work:
        await work.analytics.keep([evolve(progress, order_id=f"o{number}") for number in range(MANY)])
    engine, asked = world.storage.database.engine.sync_engine, list[tuple[str, Any]]()

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    async with world.effects.analytics_shadow.store("run") as work:
        await work.swap()
    event.remove(engine, "before_cursor_execute", note)
    return asked


async def _plan(world: World, statement: str, parameters: Any) -> str:
    async with world.storage.database.writing() as connection:
        await connection.execute(text("INSERT INTO order_progress_shadow SELECT * FROM order_progress"))
        await connection.execute(text("ANALYZE order_progress, order_progress_shadow"))
        plan = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(line for (line,) in plan)
