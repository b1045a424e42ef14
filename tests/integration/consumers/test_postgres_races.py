"""Two processes at the same rows: the second waits in PostgreSQL, and then sees what the first decided."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from types import SimpleNamespace

import pytest
from attrs import evolve, frozen
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.analytics.order_progress import OrderProgress
from orderflow.application.analytics.ports import AnalyticsStore
from orderflow.application.consuming.consumer import ConsumerTransaction
from orderflow.application.consuming.dead_letter import DeadLetter
from orderflow.application.event_log.records import Delivery, LogRecord
from orderflow.application.replay.replay_range import ReplayStart
from orderflow.domain.errors import StaleCursor
from orderflow.testing.consumers.shop import Shop
from orderflow.testing.consumers.world import World
from sqlalchemy import text

from tests.support.waiting import eventually_async


@pytest.fixture
def url(postgresql_url: str) -> str:
    return postgresql_url


@pytest.fixture
async def records() -> Sequence[LogRecord]:
    """The seven events of one order."""
    shop = Shop()
    await shop.live("o1")
    return await shop.records()


async def test_a_second_handler_waits_for_the_cursors_and_then_gives_up(world: World) -> None:
    async def zombie() -> None:
        async with world.effects.store("analytics") as work:
            await work.advance({1: (0, 9), 2: (0, 9)})

    async with world.effects.store("analytics") as work:
        await work.advance({2: (0, 3)})
        other = asyncio.create_task(zombie())
        await _until_one_waits(world)

    with pytest.raises(StaleCursor):
        await other
    assert await world.storage.cursors.positions("analytics") == {2: 3}


async def test_a_dead_letter_that_comes_while_the_last_is_redriven_keeps_its_order_parked(
    world: World, records: Sequence[LogRecord]
) -> None:
    first, second = (_dead_letter(world, record) for record in records[:2])
    async with world.effects.store("analytics") as work:
        await work.dead_letters.keep([first])

    async def redrive() -> bool:
        async with world.effects.store("analytics") as work:
            assert await work.dead_letters.first("o1") == first
            return bool(await work.dead_letters.remove(first))

    async with world.effects.store("analytics") as work:
        await work.dead_letters.keep([second])
        redriving = asyncio.create_task(redrive())
        await _until_one_waits(world)

    assert not await redriving
    assert await world.effects.dead_letters.blocking() == [second]
    async with world.effects.store("analytics") as work:
        assert set(await work.dead_letters.parked(["o1"])) == {"o1"}


async def test_an_event_that_comes_while_its_order_is_unparked_is_handled_after_it(
    world: World, records: Sequence[LogRecord]
) -> None:
    handle = world.handling()
    async with world.effects.store("analytics") as work:
        await work.advance({records[0].bucket: (0, 1)})
        await work.dead_letters.keep([_dead_letter(world, records[0])])
    redrive = world.redrive(Slow(started := asyncio.Event(), go_on := asyncio.Event()))

    redriving = asyncio.create_task(redrive())
    await started.wait()
    handling = asyncio.create_task(handle(records[1:]))
    await _until_one_waits(world)
    go_on.set()

    assert (await redriving).unparked == ("o1",)
    assert (await handling).events == 6
    assert await world.effects.dead_letters.blocking() == []
    [progress] = (await world.effects.analytics.of_orders(["o1"])).values()
    assert progress.events == 7


async def test_stock_is_not_set_in_the_middle_of_a_reservation(world: World) -> None:
    await world.effects.stock.set("R1", "F1", 5)

    async with world.effects.store("inventory") as work:
        left = await work.reservations.stock([("R1", "F1")])
        setting = asyncio.create_task(world.effects.stock.set("R1", "F1", 100))
        await _until_one_waits(world)
        await work.reservations.put_stock({("R1", "F1"): left["R1", "F1"] - 2})

    await setting
    assert await world.effects.stock.get("R1", "F1") == 100


async def test_the_consumer_waits_for_the_batch_that_is_replayed_in_its_buckets(world: World) -> None:
    shop = Shop()
    await shop.live("o1")
    records = await shop.records()
    async with world.effects.store("analytics") as work:
        await work.advance({records[0].bucket: (0, 1)})  # and nothing was done about it
    slow = Slow(started := asyncio.Event(), go_on := asyncio.Event())

    replaying = asyncio.create_task(
        world.replaying(shop.storage.log, slow)(ReplayStart.parse("0"), by="ann", reason="a table was lost")
    )
    await started.wait()
    live = asyncio.create_task(world.handling()(records[1:]))
    await _until_one_waits(world)
    go_on.set()

    assert (await replaying).handled == 1
    assert (await live).events == 6
    assert await _events(world) == {"o1": 7}


async def test_the_consumer_waits_for_the_swap_with_a_bucket_that_is_new_to_it_as_well(world: World) -> None:
    shop = Shop()
    await shop.live("o1")
    await shop.live("o2")
    await world.handling()((await shop.records_of("o1"))[:3])
    slow = Slow(started := asyncio.Event(), go_on := asyncio.Event())

    rebuilding = asyncio.create_task(world.rebuilding(shop.storage.log, slow, page=1000)(by="ann", reason="wrong"))
    await started.wait()
    live = asyncio.create_task(world.handling()(await shop.records_of("o2")))
    await _until_one_waits(world)
    go_on.set()

    assert (await rebuilding).swapped is not None
    assert (await live).events == 7
    assert await _events(world) == {"o1": 3, "o2": 7}


async def test_a_redrive_that_has_read_before_the_swap_does_not_write_after_it(world: World) -> None:
    shop = Shop()
    await shop.live("o1")
    records = await shop.records()
    await world.handling()(records[:6])
    [progress] = (await world.effects.analytics.of_orders(["o1"])).values()
    async with world.effects.store("analytics") as work:
        await work.advance({records[6].bucket: (6, 7)})
        await work.dead_letters.keep([_dead_letter(world, records[6])])
        await work.analytics.keep([evolve(progress, cancel_reason="which is wrong")])
    late = Late(started := asyncio.Event(), go_on := asyncio.Event())

    redriving = asyncio.create_task(world.redrive(late)())
    await started.wait()
    rebuilding = asyncio.create_task(world.rebuilding(shop.storage.log, page=1000)(by="ann", reason="wrong"))
    await _until_one_waits(world)
    go_on.set()
    await asyncio.gather(redriving, rebuilding)

    [rebuilt] = (await world.effects.analytics.of_orders(["o1"])).values()
    assert (rebuilt.events, rebuilt.cancel_reason) == (7, None)


async def _events(world: World) -> dict[str, int]:
    stored = await world.effects.analytics.of_orders(["o1", "o2"])
    return {order_id: progress.events for order_id, progress in stored.items()}


@frozen
class Slow:
    """Analytics that holds its transaction open until ``go_on`` is set."""

    started: asyncio.Event
    go_on: asyncio.Event
    name: str = "analytics"

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        await Analyse().handle(deliveries, work)
        self.started.set()
        await self.go_on.wait()

    async def settle(self) -> int:
        return 0


class Late(Slow):
    """Analytics that has read the order progress, and stores the new one when ``go_on`` is set."""

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        await Analyse().handle(deliveries, SimpleNamespace(analytics=LateBook(work.analytics, self)))


@frozen
class LateBook:
    book: AnalyticsStore
    late: Late

    async def progress(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        return await self.book.progress(order_ids)

    async def keep(self, progress: Sequence[OrderProgress]) -> None:
        self.late.started.set()
        await self.late.go_on.wait()
        await self.book.keep(progress)


def _dead_letter(world: World, record: LogRecord) -> DeadLetter:
    now = world.clock()
    return DeadLetter(consumer="analytics", record=record, first_failed_at=now, last_failed_at=now)


async def _until_one_waits(world: World) -> None:
    async def waiting() -> bool:
        async with world.storage.database.reading() as connection:
            found = await connection.execute(
                text("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
            )
            return found.first() is not None

    await eventually_async(waiting, that="a session waits for a lock")
