"""The promises of a rebuild of analytics, on every storage."""

from typing import Any

import pytest
from attrs import evolve

from ...application.analytics.analyse import Analyse
from ...application.maintenance.maintenance_log import MaintenanceKind
from ...domain.errors import CorruptHistory, RebuildOvertaken, StorageUnavailable
from .handle_batch import FailingAnalytics, handled_events
from .replay import ANN, InterruptedLog
from .shop import Shop, lives
from .world import World

ORDERS = ("o1", "o2", "o3")
AWAY = StorageUnavailable("database", "it is away")


@pytest.mark.asyncio
class RebuildAnalyticsContract:
    """Subclassed with a fixture ``world``."""

    @pytest.mark.parametrize("page", [4, 1000])
    async def test_the_rebuilt_data_is_that_of_the_log(self, world: World, page: int) -> None:
        shop, records = await lives(*ORDERS)
        await world.handling()(records)
        right = await _order_analytics(world)
        strange = evolve(right["o1"], order_id="stranger")
        wrong = evolve(right["o2"], events=5, cancel_reason="never", delivery_minutes=None)
        async with world.effects.store("analytics") as work:
            await work.analytics.keep([strange, wrong])

        rebuilt: Any = await world.rebuilding(shop.storage.log, page=page)(**ANN)

        assert await _order_analytics(world) == right
        assert (rebuilt.events, rebuilt.stopped) == (21, ())
        assert (rebuilt.swapped.orders, rebuilt.swapped.changed, rebuilt.swapped.removed) == (3, 1, 1)
        assert sum((await world.effects.analytics.by_state()).values()) == 3

    async def test_the_consumer_continues_meanwhile_and_nothing_is_lost_or_counted_twice(self, world: World) -> None:
        shop, records = await lives(*ORDERS)
        handle = world.handling()
        await handle([r for r in records if r.order_id != "o3"][:10])
        await _spoil(world, "o1")
        seen: list[int] = []

        async def meanwhile() -> None:
            await handle(records)
            seen.append((await _order_analytics(world))["o1"].events)

        rebuilt: Any = await world.rebuilding(InterruptedLog(shop, meanwhile))(**ANN)
        await shop.live("o4")
        await handle(await shop.records_of("o4"))

        assert (rebuilt.events, rebuilt.swapped.orders) == (21, 3)
        assert seen == [107]  # what was there is seen until all is swapped
        assert await handled_events(world) == {"o1": 7, "o2": 7, "o3": 7, "o4": 7}

    async def test_a_rebuild_that_fails_changes_nothing_and_the_next_one_starts_from_the_beginning(
        self, world: World
    ) -> None:
        shop = await _spoiled(world, *ORDERS)
        before = await _order_analytics(world)

        with pytest.raises(StorageUnavailable):
            await world.rebuilding(shop.storage.log, FailingAnalytics(poison={("o3", 6)}, failure=AWAY))(**ANN)
        untouched = await _order_analytics(world)
        await world.rebuilding(shop.storage.log)(**ANN)

        assert untouched == before
        assert await handled_events(world) == {"o1": 7, "o2": 7, "o3": 7}

    async def test_rows_of_a_failed_rebuild_are_not_swapped_in(self, world: World) -> None:
        shop, records = await lives(*ORDERS)
        await world.handling()(records)
        strange = evolve((await _order_analytics(world))["o1"], order_id="stranger")
        await world.effects.analytics_shadow.begin("one that died")
        async with world.effects.analytics_shadow.store("one that died") as work:
            await work.analytics.keep([strange])

        rebuilt: Any = await world.rebuilding(shop.storage.log)(**ANN)

        assert rebuilt.swapped.orders == 3
        assert "stranger" not in await _order_analytics(world)

    async def test_a_rebuild_that_fails_in_its_swap_changes_nothing(self, world: World) -> None:
        await _spoiled(world, *ORDERS)
        before = await _order_analytics(world)

        with pytest.raises(RuntimeError, match="broken"):
            await _break_the_swap(world)

        assert await _order_analytics(world) == before

    async def test_a_rebuild_that_was_overtaken_by_another_changes_nothing(self, world: World) -> None:
        shop = await _spoiled(world, *ORDERS)

        async def another() -> None:
            await world.rebuilding(shop.storage.log, FailingAnalytics(poison={("o2", 7)}))(**ANN)

        with pytest.raises(RebuildOvertaken):
            await world.rebuilding(InterruptedLog(shop, another))(**ANN)

        assert (await handled_events(world))["o1"] == 107

    async def test_a_parked_order_stays_parked_and_can_be_redriven(self, world: World) -> None:
        shop, records = await lives(*ORDERS)
        await world.handling(FailingAnalytics(poison={("o2", 3)}))(records)
        await _spoil(world, "o1")

        rebuilt: Any = await world.rebuilding(shop.storage.log, FailingAnalytics(poison={("o2", 3)}))(**ANN)
        parked = await handled_events(world)
        redriven = await world.redrive(Analyse())()

        assert [(it.order_id, it.sequence) for it in rebuilt.stopped] == [("o2", 3)]
        assert rebuilt.swapped is not None
        assert parked == {"o1": 7, "o2": 2, "o3": 7}
        assert (redriven.events, await handled_events(world)) == (5, {"o1": 7, "o2": 7, "o3": 7})

    async def test_a_parked_order_that_no_longer_fails_is_rebuilt_completely_and_its_redrive_changes_nothing(
        self, world: World
    ) -> None:
        shop, records = await lives(*ORDERS)
        await world.handling(FailingAnalytics(poison={("o2", 3)}))(records)

        await world.rebuilding(shop.storage.log)(**ANN)
        rebuilt: Any = await _order_analytics(world)
        redriven = await world.redrive(Analyse())()

        assert {order_id: order.events for order_id, order in rebuilt.items()} == dict.fromkeys(ORDERS, 7)
        assert (redriven.events, await _order_analytics(world)) == (5, rebuilt)

    async def test_an_order_with_dropped_events_that_no_longer_fail_is_rebuilt_completely(self, world: World) -> None:
        shop, records = await lives(*ORDERS)
        poison = {("o2", 6)}
        await world.handling(FailingAnalytics(poison=poison))(records)
        await world.drop("analytics", "o2", by="ann", reason="it has come to its end", with_followers=True)

        still_failing = await world.rebuilding(shop.storage.log, FailingAnalytics(poison=poison))(**ANN)
        as_it_was = await handled_events(world)
        rebuilt = await world.rebuilding(shop.storage.log)(**ANN)

        assert [(it.order_id, it.sequence) for it in still_failing.stopped] == [("o2", 6)]
        assert as_it_was == {"o1": 7, "o2": 5, "o3": 7}
        assert (rebuilt.stopped, await handled_events(world)) == ((), dict.fromkeys(ORDERS, 7))

    @pytest.mark.parametrize("page", [4, 1000])
    async def test_if_an_order_would_lose_events_nothing_is_changed(self, world: World, page: int) -> None:
        shop = await _spoiled(world, *ORDERS)
        before = await _order_analytics(world)
        failing = FailingAnalytics(poison={("o2", 3)}, failure=CorruptHistory("o2", 3, "poison"))

        rebuilt: Any = await world.rebuilding(shop.storage.log, failing, page=page)(**ANN)

        assert (rebuilt.swapped, [it.order_id for it in rebuilt.stopped]) == (None, ["o2"])
        assert await _order_analytics(world) == before

    async def test_an_order_that_is_redriven_meanwhile_is_not_set_back(self, world: World) -> None:
        shop, records = await lives(*ORDERS)
        poison = {("o2", 3)}
        await world.handling(FailingAnalytics(poison=poison))(records)
        log = InterruptedLog(shop, world.redrive(Analyse()))

        rebuilt: Any = await world.rebuilding(log, FailingAnalytics(poison=poison))(**ANN)

        assert rebuilt.swapped is None
        assert await handled_events(world) == {"o1": 7, "o2": 7, "o3": 7}

    async def test_before_the_consumer_ever_ran_there_is_nothing_to_rebuild(self, world: World) -> None:
        shop, records = await lives("o1")

        rebuilt: Any = await world.rebuilding(shop.storage.log)(**ANN)
        await world.handling()(records)

        assert (rebuilt.events, rebuilt.swapped.orders) == (0, 0)
        assert await handled_events(world) == {"o1": 7}

    async def test_the_maintenance_log_has_the_rebuild_and_its_result(self, world: World) -> None:
        shop = await _spoiled(world, "o1", "o2")

        await world.rebuilding(shop.storage.log)(**ANN)

        noted = await world.storage.maintenance_log.history(limit=9)
        assert [(it.kind, it.consumer, it.detail, it.note.by) for it in noted] == [
            (MaintenanceKind.SWAP, "analytics", "2 orders, 1 of them changed", "ann"),
            (MaintenanceKind.REBUILD, "analytics", "begun", "ann"),
        ]


async def _spoil(world: World, order_id: str) -> None:
    """Analytics has counted 107 events."""
    order = (await _order_analytics(world))[order_id]
    async with world.effects.store("analytics") as work:
        await work.analytics.keep([evolve(order, events=107)])


async def _spoiled(world: World, *order_ids: str) -> Shop:
    """Return a shop of whole lives; analytics has handled all of it, and has counted 107 events of o1."""
    shop, records = await lives(*order_ids)
    await world.handling()(records)
    await _spoil(world, "o1")
    return shop


async def _break_the_swap(world: World) -> None:
    await world.effects.analytics_shadow.begin("run")
    async with world.effects.analytics_shadow.store("run") as work:
        await work.swap()
        raise RuntimeError("broken")


async def _order_analytics(world: World) -> Any:
    return dict(await world.effects.analytics.of_orders([*ORDERS, "o4", "stranger"]))
