"""The promises of handling batches, on every storage."""

import asyncio
from collections.abc import Sequence

import pytest
from attrs import define, field

from ...application.analytics.analyse import Analyse
from ...application.analytics.order_progress import AnalyticsResult
from ...application.analytics.ports import AnalyticsTransaction
from ...application.consuming.consumer import BatchResult, ConsumerTransaction
from ...application.event_log.records import Delivery, LogRecord, Origin, UnrecognizedRecord, bucket_of
from ...domain.errors import LogGap, StorageUnavailable, TransientFailure
from .shop import lives
from .world import World


@define
class FailingAnalytics(Analyse):
    """Analytics that fails at the events of ``poison``, given as order and sequence, until it is fixed."""

    poison: set[tuple[str, int]] = field(factory=set)
    failure: Exception = field(factory=lambda: ValueError("poison"))
    tries: list[tuple[str, int]] = field(factory=list)

    async def handle(self, deliveries: Sequence[Delivery], work: AnalyticsTransaction) -> AnalyticsResult:
        result = await super().handle(deliveries, work)  # so that there are effects to undo
        for delivery in deliveries:
            event = (delivery.record.order_id, delivery.record.sequence)
            if event in self.poison:
                self.tries.append(event)
                raise self.failure
        return result


@define
class OutsideEffects:
    """Records its events in the stock, which would wait for ever inside a transaction of its own."""

    world: World
    name: str = "recording"
    handled: list[tuple[str, int]] = field(factory=list)
    poison: set[tuple[str, int]] = field(factory=set)
    failure: Exception = field(factory=lambda: ValueError("poison"))

    async def perform(self, deliveries: Sequence[Delivery]) -> None:
        for record in (delivery.record for delivery in deliveries):
            await self.world.effects.stock.set(record.order_id, "recorded", record.sequence)
            if (record.order_id, record.sequence) in self.poison:
                raise self.failure
            self.handled.append((record.order_id, record.sequence))

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        """Do nothing: all is done already."""

    async def settle(self) -> int:
        return 0


@pytest.mark.asyncio
class HandleBatchContract:
    """Subclassed with a fixture ``world``."""

    async def test_a_batch_is_handled_whole(self, world: World) -> None:
        records = await whole_lives("o1", "o2")

        handled = await world.handling()(records)

        assert handled == BatchResult(events=14)
        assert await handled_events(world) == {"o1": 7, "o2": 7}
        assert await world.storage.cursors.positions("analytics") == {r.bucket: r.position for r in records}

    async def test_duplicate_deliveries_change_nothing(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        handle = world.handling()
        await handle(records[:9])

        again = await handle(records)
        restarted = await world.handling()(records)

        assert again == BatchResult(events=5, duplicates=9)
        assert restarted == BatchResult(duplicates=14)
        assert await handled_events(world) == {"o1": 7, "o2": 7}

    async def test_a_record_twice_in_one_batch_is_handled_once(self, world: World) -> None:
        records = await whole_lives("o1")

        handled = await world.handling()([*records[:3], *records[1:]])

        assert handled == BatchResult(events=7, duplicates=2)

    async def test_a_bucket_with_a_gap_waits_and_the_others_continue(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        missing = next(r for r in records if r.order_id == "o1" and r.sequence == 3)
        handle = world.handling()

        handled = await handle([r for r in records if r is not missing])
        retried = await handle(records)

        gap = LogGap("analytics", missing.bucket, cursor=2, position=4)
        assert (handled.events, [it.context() for it in handled.gaps]) == (9, [gap.context()])
        assert retried == BatchResult(events=5, duplicates=9)

    async def test_of_two_handlers_with_the_same_records_one_handles_them(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        one, other = world.handling(), world.handling()
        await one([])
        await other([])

        outcomes = await asyncio.gather(one(records), other(records))

        assert sorted(outcome.events for outcome in outcomes) == [0, 14]
        assert await handled_events(world) == {"o1": 7, "o2": 7}

    async def test_a_handler_with_stale_cursors_continues_from_the_stored_ones(self, world: World) -> None:
        records = await whole_lives("o1")
        zombie = world.handling()
        await zombie(records[:2])
        await world.handling()(records[:5])

        overtaken = await zombie(records[2:])
        again = await zombie(records[2:])

        assert overtaken == BatchResult()
        assert again == BatchResult(events=2, duplicates=3)
        assert await handled_events(world) == {"o1": 7}

    async def test_a_bucket_that_another_handler_had_for_a_while_has_no_gap(self, world: World) -> None:
        records = await whole_lives("o1")
        handle, other = world.handling(), world.handling()
        await handle(records[:2])
        await other(records[2:5])

        handled = await handle(records[5:])

        assert handled == BatchResult(events=2)

    async def test_an_event_that_keeps_failing_parks_its_order_and_no_other(self, world: World) -> None:
        records = await whole_lives("o1", "o2", "o3")
        consumer = FailingAnalytics(poison={("o2", 3)})

        handled = await world.handling(consumer, attempts=4)(records)

        assert handled == BatchResult(events=16, parked=5)
        assert await handled_events(world) == {"o1": 7, "o2": 2, "o3": 7}
        dead_letters = await world.effects.dead_letters.of_order("analytics", "o2")
        assert [dead_letter.record for dead_letter in dead_letters] == [r for r in records if r.order_id == "o2"][2:]
        first = dead_letters[0]
        assert (first.error, first.message, first.attempts) == ("ValueError", "poison", 4)
        assert first.origin is None, "it was read from the log"
        assert {(it.error, it.attempts) for it in dead_letters[1:]} == {("", 0)}

    async def test_later_batches_of_a_parked_order_follow_it_in_order(self, world: World) -> None:
        records = await whole_lives("o1")
        await world.handling(FailingAnalytics(poison={("o1", 3)}))(records[:4])

        handled = await world.handling(FailingAnalytics())(records[4:])

        assert handled == BatchResult(events=0, parked=3)
        dead_letters = await world.effects.dead_letters.of_order("analytics", "o1")
        assert [dead_letter.record.sequence for dead_letter in dead_letters] == [3, 4, 5, 6, 7]

    async def test_a_transient_failure_parks_nothing(self, world: World) -> None:
        records = await whole_lives("o1")

        class RecoveringAnalytics(FailingAnalytics):
            async def handle(self, deliveries: Sequence[Delivery], work: AnalyticsTransaction) -> AnalyticsResult:
                try:
                    return await super().handle(deliveries, work)
                finally:
                    if len(deliveries) == 1:
                        self.poison.clear()

        consumer = RecoveringAnalytics(poison={("o1", 3)})
        handled = await world.handling(consumer)(records)

        assert handled == BatchResult(events=7)
        assert await handled_events(world) == {"o1": 7}

    async def test_events_with_transient_failures_are_left_and_the_others_are_handled(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        consumer = FailingAnalytics(poison={("o1", 3)}, failure=TransientFailure("the printer is busy"))

        handled = await world.handling(consumer)(records)

        left = tuple(r for r in records if r.order_id == "o1" and r.sequence >= 3)
        assert handled == BatchResult(events=9, left=left)
        assert await handled_events(world) == {"o1": 2, "o2": 7}
        assert await world.effects.dead_letters.blocking() == []

    async def test_a_transient_failure_that_persists_parks_its_order_after_the_usual_attempts(
        self, world: World
    ) -> None:
        records = await whole_lives("o1", "o2")
        refused = ConnectionRefusedError(111, "Connection refused")
        handle = world.handling(OutsideEffects(world, poison={("o1", 3)}, failure=refused), attempts=3)
        first = await handle(records)
        since = world.clock()
        world.clock.forward(minutes=1)
        second = await handle(first.left)

        third = await handle(second.left)

        assert (second, third) == (BatchResult(left=first.left), BatchResult(parked=5))
        [dead_letter] = await world.effects.dead_letters.blocking("recording")
        assert (dead_letter.error, dead_letter.message, dead_letter.attempts) == (
            "ConnectionRefusedError",
            "Connection refused",
            3,
        )
        assert (dead_letter.first_failed_at, dead_letter.last_failed_at) == (since, world.clock())

    async def test_another_order_of_the_bucket_waits_for_a_transient_failure_and_follows_in_order(
        self, world: World
    ) -> None:
        neighbour = next(each for n in range(9999) if bucket_of(each := f"n{n}") == bucket_of("o1"))
        records = sorted(await whole_lives("o1", neighbour), key=lambda record: record.position)
        consumer = FailingAnalytics(poison={("o1", 3)}, failure=TransientFailure("the printer is busy"))
        handle = world.handling(consumer)
        waiting = await handle(records)
        consumer.poison.clear()

        handled = await handle(waiting.left)

        assert [r.position for r in waiting.left] == list(range(3, 15))
        assert handled == BatchResult(events=12)
        assert await handled_events(world, "o1", neighbour) == {neighbour: 7, "o1": 7}

    async def test_a_dead_letter_has_the_record_of_its_event_on_the_topic(self, world: World) -> None:
        records = await whole_lives("o1")
        handle = world.handling(
            FailingAnalytics(poison={("o1", 6)}), origin=lambda r: Origin("order-events", 2, r.position)
        )

        await handle(records)

        dead_letters = await world.effects.dead_letters.of_order("analytics", "o1")
        assert [dead_letter.origin for dead_letter in dead_letters] == [
            Origin("order-events", 2, 6),
            Origin("order-events", 2, 7),
        ]

    async def test_parked_events_are_scheduled_for_copying_if_configured(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        await world.handling(FailingAnalytics(poison={("o1", 5)}), copied=True)(records[:12])
        await world.handling(FailingAnalytics(poison={("o2", 7)}), copied=False)(records[12:])

        dead_letters = await world.effects.dead_letters.claim_copies(now=world.clock(), until=world.clock(), limit=9)

        parked = [it.record for it in await world.effects.dead_letters.of_order("analytics", "o1")]
        assert [dead_letter.record for dead_letter in dead_letters] == parked[:2]
        assert len(parked) == 3

    async def test_undecodable_bytes_park_their_order_at_once(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        broken = [r._replace(body=b"{}") if (r.order_id, r.sequence) == ("o1", 2) else r for r in records]

        handled = await world.handling()(broken)

        assert handled == BatchResult(events=8, parked=6)
        [dead_letter] = await world.effects.dead_letters.blocking("analytics")
        assert (dead_letter.error, dead_letter.attempts, dead_letter.record.body) == ("UndecodableEvent", 1, b"{}")
        assert "missing" in dead_letter.message

    async def test_an_unrecognized_record_is_set_aside_once(self, world: World) -> None:
        foreign = UnrecognizedRecord(topic="t", partition=0, offset=5, key=b"k", value=b"junk", problem="no address")
        records = await whole_lives("o1")
        handle = world.handling()

        handled = await handle([foreign, *records])
        await handle([foreign])

        assert handled == BatchResult(events=7, foreign=1)
        assert [it.record for it in await world.effects.dead_letters.unrecognized_records("analytics")] == [foreign]

    async def test_an_unavailable_backend_parks_nothing_and_loses_nothing(self, world: World) -> None:
        records = await whole_lives("o1")
        handle = world.handling(
            consumer := FailingAnalytics(poison={("o1", 3)}, failure=StorageUnavailable("database", "it is away"))
        )

        with pytest.raises(StorageUnavailable):
            await handle(records)
        consumer.poison.clear()
        handled = await handle(records)

        assert len(consumer.tries) == 1
        assert handled == BatchResult(events=7)

    async def test_a_handler_outside_of_the_transaction_may_write_to_the_storage(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        consumer = OutsideEffects(world)
        handle = world.handling(consumer)

        handled = await handle(records)
        await handle(records)

        assert handled == BatchResult(events=14)
        assert consumer.handled == [(r.order_id, r.sequence) for r in records]
        assert await world.effects.stock.get("o1", "recorded") == 7


async def whole_lives(*order_ids: str) -> Sequence[LogRecord]:
    """Return the events of whole lives, as ``lives`` does."""
    _, records = await lives(*order_ids)
    return records


async def handled_events(world: World, *order_ids: str) -> dict[str, int]:
    """Return how many events of these orders, by default of o1 to o4, analytics has handled."""
    analytics = await world.effects.analytics.of_orders(order_ids or ("o1", "o2", "o3", "o4"))
    return {order_id: order.events for order_id, order in sorted(analytics.items())}
