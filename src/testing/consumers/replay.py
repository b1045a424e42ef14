"""The promises of a replay, on every storage."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import pytest
from attrs import define

from ...adapters.memory import MemoryTopic
from ...adapters.memory.notifier import MemoryNotifier
from ...adapters.notifications.templates import FileMessageTemplates
from ...application.analytics.analyse import Analyse
from ...application.analytics.order_progress import AnalyticsResult
from ...application.analytics.ports import AnalyticsTransaction
from ...application.event_log.records import Delivery, LogRecord, Positions, bucket_of
from ...application.inventory.keep_stock import KeepStock
from ...application.maintenance.maintenance_log import MaintenanceKind
from ...application.notifications.notification import Contact
from ...application.notifications.notify import Notify
from ...application.operator_note import OperatorNote
from ...application.recovery.epochs import Epoch
from ...application.replay.replay_range import MissingPosition, ReplayStart
from ...domain.errors import InvalidInput, NotConfigured, OrderNotFound, StorageUnavailable
from .handle_batch import FailingAnalytics, OutsideEffects, handled_events
from .shop import Shop, lives
from .world import World

ANN: dict[str, Any] = {"by": "ann", "reason": "a table was lost"}
ALL = ReplayStart.parse("0")


@define
class Forgetful(Analyse):
    """Analytics that has handled nothing, and does not know it: as a table of effects that was lost."""

    async def handle(self, deliveries: Sequence[Delivery], work: AnalyticsTransaction) -> AnalyticsResult:
        """Do nothing."""
        return AnalyticsResult(())


@define
class InterruptedLog:
    """The log of ``shop``; after the first records were read from it, ``then`` happens."""

    shop: Shop
    then: Callable[[], Awaitable[Any]] | None

    async def read(self, after: Positions, *, limit: int) -> Sequence[LogRecord]:
        records = await self.shop.storage.log.read(after, limit=limit)
        then, self.then = self.then, None
        if then is not None:
            await then()
        return records


@pytest.mark.asyncio
class ReplayContract:
    """Subclassed with a fixture ``world``."""

    async def test_lost_effects_are_restored_and_the_cursors_stay(self, world: World) -> None:
        shop, _ = await _forgotten(world, "o1", "o2")
        cursors = dict(await world.storage.cursors.positions("analytics"))

        done = await world.replaying(shop.storage.log)(ALL, **ANN)

        assert (done.events, done.orders, done.handled, done.whole) == (14, 2, 14, True)
        assert await handled_events(world) == {"o1": 7, "o2": 7}
        assert await world.storage.cursors.positions("analytics") == cursors

    async def test_each_shipped_consumer_has_one_effect_an_event_however_often_it_is_replayed(
        self, world: World
    ) -> None:
        shop, records = await lives("o1", "o2")
        await world.effects.stock.set("R1", "F1", 5)
        await world.effects.contacts.set(Contact(party="customer:C1", email="c1@example.org"))
        channel = MemoryNotifier()
        notify = Notify([channel], FileMessageTemplates(), world.effects.notifications, world.clock)
        consumers = (Analyse(), notify, KeepStock(world.effects.shortages, shop.cancel, world.clock))
        for consumer in consumers:
            await world.handling(consumer)(records)
        await notify.settle()
        before, sent = await _effects(world), len(channel.sent)

        for consumer in consumers * 2:
            await world.replaying(shop.storage.log, consumer)(ALL, **ANN)
        await notify.settle()

        assert await _effects(world) == before
        assert len(channel.sent) == sent > 0

    async def test_events_beyond_the_cursors_are_not_replayed(self, world: World) -> None:
        shop, records = await lives("o1", "o2")
        await world.handling(Forgetful())([r for r in records if r.order_id == "o1"][:4])

        done = await world.replaying(shop.storage.log)(ALL, **ANN)

        assert (done.events, done.handled) == (4, 4)
        assert await handled_events(world) == {"o1": 4}

    async def test_the_consumer_continues_during_a_replay(self, world: World) -> None:
        shop, records = await lives("o1", "o2", "o3")
        handle = world.handling(Forgetful())
        await handle([r for r in records if r.sequence <= 3])
        live, later = world.handling(Forgetful()), [r for r in records if r.sequence > 3]

        async def stream() -> None:
            for record in later:
                await live([record])

        done, _ = await asyncio.gather(world.replaying(shop.storage.log)(ALL, **ANN), stream())
        again = await world.replaying(shop.storage.log)(ALL, **ANN)

        assert (done.whole, again.events, again.whole) == (True, 21, True)
        assert await handled_events(world) == {"o1": 7, "o2": 7, "o3": 7}

    async def test_a_parked_order_is_replayed_up_to_the_event_that_parked_it(self, world: World) -> None:
        shop, records = await lives("o1", "o2")
        poison = FailingAnalytics(poison={("o1", 3)})
        await world.handling(Forgetful())([r for r in records if r.sequence <= 2])
        await world.handling(poison)([r for r in records if r.sequence > 2 and r.order_id == "o1"])
        dry = await world.replaying(shop.storage.log).dry_run(ALL)

        done = await world.replaying(shop.storage.log)(ALL, **ANN)
        await world.redrive(Analyse())()

        assert (done.events, done.handled, done.parked, dry.parked) == (9, 4, 5, 5)
        assert await handled_events(world) == {"o1": 7, "o2": 2}

    async def test_dropped_events_stay_dropped(self, world: World) -> None:
        shop, records = await lives("o1", "o2")
        await world.handling(FailingAnalytics(poison={("o1", 6)}))(records)
        await _drop(world)
        dry = await world.replaying(shop.storage.log).dry_run(ALL)

        done = await world.replaying(shop.storage.log)(ALL, **ANN)

        assert (done.events, done.handled, done.dropped, done.whole) == (14, 12, 2, True)
        assert (dry.dropped, dry.parked) == (2, 0)
        assert await handled_events(world) == {"o1": 5, "o2": 7}

    async def test_events_dropped_meanwhile_are_not_replayed(self, world: World) -> None:
        shop, records = await lives("o1", "o2")
        await world.handling(FailingAnalytics(poison={("o1", 6)}))(records)

        done = await world.replaying(InterruptedLog(shop, partial(_drop, world)))(ALL, **ANN)

        assert (done.handled, done.whole) == (12, True)
        assert await handled_events(world) == {"o1": 5, "o2": 7}

    async def test_an_order_stops_at_an_event_that_fails_and_the_others_continue(self, world: World) -> None:
        shop, _ = await _forgotten(world, "o1", "o2", "o3")

        done = await world.replaying(shop.storage.log, FailingAnalytics(poison={("o2", 3)}))(ALL, **ANN)
        stopped_at = await handled_events(world)
        again = await world.replaying(shop.storage.log)(ALL, **ANN)

        [stop] = done.stopped
        assert (stop.order_id, stop.sequence, stop.error, stop.message) == ("o2", 3, "ValueError", "poison")
        assert (done.handled, done.whole) == (16, False)
        assert stopped_at == {"o1": 7, "o2": 2, "o3": 7}
        assert (again.whole, await handled_events(world)) == (True, dict.fromkeys(("o1", "o2", "o3"), 7))
        assert await world.effects.dead_letters.blocking() == []

    async def test_an_unavailable_backend_ends_the_replay_which_can_be_repeated(self, world: World) -> None:
        shop, _ = await _forgotten(world, "o1", "o2")
        away = FailingAnalytics(poison={("o2", 3)}, failure=StorageUnavailable("database", "it is away"))

        with pytest.raises(StorageUnavailable):
            await world.replaying(shop.storage.log, away)(ALL, **ANN)
        await world.replaying(shop.storage.log)(ALL, **ANN)

        assert await handled_events(world) == {"o1": 7, "o2": 7}

    @pytest.mark.parametrize("source", ["log", "topic"])
    async def test_a_replay_begins_at_its_start(self, world: World, source: str) -> None:
        shop, records = await _forgotten(world, "o1", "o2")
        third = next(r for r in records if r.order_id == "o1" and r.sequence == 3)
        replay = world.replaying(shop.storage.log, topic=await _topic(records))
        starts = ["3", f"{third.bucket}:3", third.occurred_at.isoformat(), "order:o1", "1", "999"]

        seen = [await replay.dry_run(ReplayStart.parse(start), source=source) for start in starts]

        # At the time of the third event of o1 its second happened as well, and o2 was not there yet.
        assert [(it.events, it.orders) for it in seen] == [(10, 2), (5, 1), (13, 2), (7, 1), (14, 2), (0, 0)]

    async def test_a_dry_run_changes_and_records_nothing(self, world: World) -> None:
        shop, _ = await _forgotten(world, "o1")

        dry = await world.replaying(shop.storage.log).dry_run(ALL)

        assert (dry.events, dry.orders, dry.handled, dry.dry_run) == (7, 1, 0, True)
        assert await handled_events(world) == {}
        assert await world.storage.maintenance_log.history(limit=9) == []

    async def test_the_operators_note_is_recorded_before_the_replay_begins(self, world: World) -> None:
        shop, _ = await _forgotten(world, "o1")
        away = FailingAnalytics(poison={("o1", 1)}, failure=StorageUnavailable("database", "it is away"))

        with pytest.raises(StorageUnavailable):
            await world.replaying(shop.storage.log, away)(ReplayStart.parse("order:o1"), **ANN)

        [noted] = await world.storage.maintenance_log.history(limit=9)
        assert (noted.kind, noted.consumer, noted.detail) == (
            MaintenanceKind.REPLAY,
            "analytics",
            "from order:o1 by the log: 7 events",
        )
        assert (noted.note.by, noted.note.reason, noted.note.at) == ("ann", "a table was lost", world.clock())

    async def test_superseded_records_of_the_topic_are_not_replayed(self, world: World) -> None:
        shop, records = await _forgotten(world, "o1")
        word = OperatorNote(by="ann", reason="restored", at=world.clock())
        await world.storage.epochs.begin(Epoch(epoch=2, note=word, kept={bucket_of("o1"): 3}))
        topic = await _topic([r._replace(body=b"{}") if r.sequence > 3 else r for r in records])
        await topic.cursors(await world.storage.epochs.all())
        await topic.publish([r for r in records if r.sequence > 3])

        done = await world.replaying(shop.storage.log, topic=topic)(ALL, source="topic", **ANN)

        assert (done.handled, done.whole) == (7, True)
        assert await handled_events(world) == {"o1": 7}

    @pytest.mark.parametrize("lost", [[1, 2], [4], [7]])
    async def test_a_bucket_stops_at_an_event_that_the_topic_does_not_have(self, world: World, lost: list[int]) -> None:
        shop, records = await _forgotten(world, "o1", "o2")
        topic = await _topic([r for r in records if not (r.order_id == "o1" and r.sequence in lost)])

        done = await world.replaying(shop.storage.log, topic=topic)(ALL, source="topic", **ANN)

        assert done.missing == (MissingPosition(bucket=bucket_of("o1"), position=lost[0]),)
        assert (done.handled, done.stopped, done.whole) == (7 + lost[0] - 1, (), False)
        assert (await handled_events(world)).get("o1", 0) == lost[0] - 1

    async def test_an_outside_handler_gets_each_event_alone(self, world: World) -> None:
        shop, records = await lives("o1", "o2")
        consumer = OutsideEffects(world)
        await world.handling(consumer)(records)
        consumer.handled.clear()
        consumer.poison.add(("o1", 2))

        done = await world.replaying(shop.storage.log, consumer)(ALL, **ANN)

        assert [stop.order_id for stop in done.stopped] == ["o1"]
        assert [it for it in consumer.handled if it[0] == "o1"] == [("o1", 1)]
        assert [it for it in consumer.handled if it[0] == "o2"] == [("o2", sequence) for sequence in range(1, 8)]

    async def test_unknown_buckets_orders_and_sources_are_refused(self, world: World) -> None:
        shop, _ = await lives("o1")
        replay = world.replaying(shop.storage.log)

        with pytest.raises(OrderNotFound):
            await replay(ReplayStart.parse("order:nobody"), **ANN)
        with pytest.raises(InvalidInput, match="buckets 0 to 255"):
            await replay(ReplayStart.parse("256:1"), **ANN)
        with pytest.raises(NotConfigured, match="no topic"):
            await replay(ALL, source="topic", **ANN)

        assert await world.storage.maintenance_log.history(limit=9) == []


async def _drop(world: World) -> None:
    """Drop the dead letters of analytics for o1."""
    await world.drop("analytics", "o1", by="ann", reason="it has come to its end", with_followers=True)


async def _forgotten(world: World, *order_ids: str) -> tuple[Shop, Sequence[LogRecord]]:
    """Return what ``lives`` does; analytics has passed all of it, and has kept nothing."""
    shop, records = await lives(*order_ids)
    await world.handling(Forgetful())(records)
    return shop, records


async def _topic(records: Sequence[LogRecord]) -> MemoryTopic:
    topic = MemoryTopic()
    await topic.publish(records)
    return topic


async def _effects(world: World) -> Any:
    orders = ["o1", "o2"]
    return (
        await world.effects.notifications.of_orders(orders),
        await world.effects.analytics.of_orders(orders),
        await world.effects.shortages.of_orders(orders),
        await world.effects.stock.list(),
    )
