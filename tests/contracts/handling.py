"""What handling batches promises, wherever the effects are kept."""

import asyncio
from collections.abc import Sequence

import pytest
from attrs import define, field
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.backoff import RateLimit
from orderflow.application.consuming.consumer import BatchResult, ConsumerTransaction
from orderflow.application.consuming.dead_letter import Outcome
from orderflow.application.event_log.records import Delivery, LogRecord, Origin, UnrecognizedRecord, bucket_of
from orderflow.application.operator_note import OperatorNote
from orderflow.domain.errors import InvalidInput, LogGap, NotFound, StorageUnavailable, TransientFailure

from tests.support.effects import World
from tests.support.shop import Shop


@define
class Stumbling(Analyse):
    """Analytics that fails at the events of ``poison``, given as order and sequence, until it is mended."""

    poison: set[tuple[str, int]] = field(factory=set)
    failure: Exception = field(factory=lambda: ValueError("poison"))
    tries: list[tuple[str, int]] = field(factory=list)

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        await super().handle(deliveries, work)  # so that there are effects to undo
        for delivery in deliveries:
            event = (delivery.record.order_id, delivery.record.sequence)
            if event in self.poison:
                self.tries.append(event)
                raise self.failure


@define
class Telling:
    """Writes down what it is told, in the stock: which would wait for ever inside a transaction of its own."""

    world: World
    name: str = "telling"
    told: list[tuple[str, int]] = field(factory=list)
    poison: set[tuple[str, int]] = field(factory=set)
    failure: Exception = field(factory=lambda: ValueError("poison"))

    async def perform(self, deliveries: Sequence[Delivery]) -> None:
        for record in (delivery.record for delivery in deliveries):
            await self.world.effects.stock.set(record.order_id, "told", record.sequence)
            if (record.order_id, record.sequence) in self.poison:
                raise self.failure
            self.told.append((record.order_id, record.sequence))

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        """All is done already."""

    async def settle(self) -> int:
        return 0


@define
class Time:
    """A clock that goes while somebody sleeps."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class HandlingContract:
    """Subclassed with a fixture ``world``."""

    async def test_a_batch_is_handled_whole(self, world: World) -> None:
        records = await _lives("o1", "o2")

        handled = await world.handling()(records)

        assert handled == BatchResult(events=14)
        assert await _events(world, "o1", "o2") == {"o1": 7, "o2": 7}
        assert await world.storage.cursors.positions("analytics") == {r.bucket: r.position for r in records}

    async def test_what_is_delivered_again_changes_nothing(self, world: World) -> None:
        records = await _lives("o1", "o2")
        handle = world.handling()
        await handle(records[:9])

        again = await handle(records)
        restarted = await world.handling()(records)

        assert again == BatchResult(events=5, duplicates=9)
        assert restarted == BatchResult(duplicates=14)
        assert await _events(world, "o1", "o2") == {"o1": 7, "o2": 7}

    async def test_a_record_twice_in_one_batch_is_handled_once(self, world: World) -> None:
        records = await _lives("o1")

        handled = await world.handling()([*records[:3], *records[1:]])

        assert handled == BatchResult(events=7, duplicates=2)

    async def test_a_bucket_with_a_gap_waits_and_the_others_flow_on(self, world: World) -> None:
        records = await _lives("o1", "o2")
        missing = next(r for r in records if r.order_id == "o1" and r.sequence == 3)
        handle = world.handling()

        handled = await handle([r for r in records if r is not missing])
        mended = await handle(records)

        gap = LogGap("analytics", missing.bucket, cursor=2, position=4)
        assert (handled.events, [it.context() for it in handled.gaps]) == (9, [gap.context()])
        assert mended == BatchResult(events=5, duplicates=9)

    async def test_of_two_handlers_with_the_same_records_one_handles_them(self, world: World) -> None:
        records = await _lives("o1", "o2")
        one, other = world.handling(), world.handling()
        await one([])
        await other([])

        outcomes = await asyncio.gather(one(records), other(records))

        assert sorted(outcome.events for outcome in outcomes) == [0, 14]
        assert await _events(world, "o1", "o2") == {"o1": 7, "o2": 7}

    async def test_a_handler_that_was_overtaken_goes_on_from_the_cursors(self, world: World) -> None:
        records = await _lives("o1")
        zombie = world.handling()
        await zombie(records[:2])
        await world.handling()(records[:5])

        overtaken = await zombie(records[2:])
        again = await zombie(records[2:])

        assert overtaken == BatchResult()
        assert again == BatchResult(events=2, duplicates=3)
        assert await _events(world, "o1") == {"o1": 7}

    async def test_a_bucket_that_another_handler_had_for_a_while_has_no_gap(self, world: World) -> None:
        records = await _lives("o1")
        handle, other = world.handling(), world.handling()
        await handle(records[:2])
        await other(records[2:5])

        handled = await handle(records[5:])

        assert handled == BatchResult(events=2)

    async def test_an_event_that_keeps_failing_parks_its_order_and_no_other(self, world: World) -> None:
        records = await _lives("o1", "o2", "o3")
        consumer = Stumbling(poison={("o2", 3)})

        handled = await world.handling(consumer, attempts=4)(records)

        assert handled == BatchResult(events=16, parked=5)
        assert await _events(world, "o1", "o2", "o3") == {"o1": 7, "o2": 2, "o3": 7}
        letters = await world.effects.dead_letters.of_order("analytics", "o2")
        assert [letter.record for letter in letters] == [r for r in records if r.order_id == "o2"][2:]
        first = letters[0]
        assert (first.error, first.message, first.attempts) == ("ValueError", "poison", 4)
        assert {(it.error, it.attempts) for it in letters[1:]} == {("", 0)}

    async def test_later_batches_of_a_parked_order_follow_it_in_order(self, world: World) -> None:
        records = await _lives("o1")
        await world.handling(Stumbling(poison={("o1", 3)}))(records[:4])

        handled = await world.handling(Stumbling())(records[4:])

        assert handled == BatchResult(events=0, parked=3)
        letters = await world.effects.dead_letters.of_order("analytics", "o1")
        assert [letter.record.sequence for letter in letters] == [3, 4, 5, 6, 7]

    async def test_a_failure_that_passes_parks_nothing(self, world: World) -> None:
        records = await _lives("o1")

        class Mending(Stumbling):
            async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
                try:
                    await super().handle(deliveries, work)
                finally:
                    if len(deliveries) == 1:
                        self.poison.clear()

        consumer = Mending(poison={("o1", 3)})
        handled = await world.handling(consumer)(records)

        assert handled == BatchResult(events=7)
        assert await _events(world, "o1") == {"o1": 7}

    async def test_what_fails_by_something_that_may_pass_is_left_and_the_others_are_handled(self, world: World) -> None:
        records = await _lives("o1", "o2")
        consumer = Stumbling(poison={("o1", 3)}, failure=TransientFailure("the printer is busy"))

        handled = await world.handling(consumer)(records)

        left = tuple(r for r in records if r.order_id == "o1" and r.sequence >= 3)
        assert handled == BatchResult(events=9, left=left)
        assert await _events(world, "o1", "o2") == {"o1": 2, "o2": 7}
        assert await world.effects.dead_letters.blocking() == []

    async def test_what_was_left_is_handled_once_it_passes(self, world: World) -> None:
        records = await _lives("o1", "o2")
        consumer = Stumbling(poison={("o1", 3)}, failure=TransientFailure("the printer is busy"))
        handle = world.handling(consumer)
        waiting = await handle(records)
        consumer.poison.clear()

        handled = await handle(waiting.left)

        assert handled == BatchResult(events=5)
        assert await _events(world, "o1", "o2") == {"o1": 7, "o2": 7}

    async def test_what_does_not_pass_parks_its_order_after_as_many_tries_as_any_failure(self, world: World) -> None:
        records = await _lives("o1", "o2")
        refused = ConnectionRefusedError(111, "Connection refused")
        handle = world.handling(Telling(world, poison={("o1", 3)}, failure=refused), attempts=3)
        first = await handle(records)
        since = world.clock()
        world.clock.forward(minutes=1)
        second = await handle(first.left)

        third = await handle(second.left)

        assert (second, third) == (BatchResult(left=first.left), BatchResult(parked=5))
        [letter] = await world.effects.dead_letters.blocking("telling")
        assert (letter.error, letter.message, letter.attempts) == ("ConnectionRefusedError", "Connection refused", 3)
        assert (letter.first_failed_at, letter.last_failed_at) == (since, world.clock())

    async def test_another_order_of_the_bucket_waits_for_what_may_pass_and_follows_in_order(self, world: World) -> None:
        neighbour = next(each for n in range(9999) if bucket_of(each := f"n{n}") == bucket_of("o1"))
        records = sorted(await _lives("o1", neighbour), key=lambda record: record.position)
        consumer = Stumbling(poison={("o1", 3)}, failure=TransientFailure("the printer is busy"))
        handle = world.handling(consumer)
        waiting = await handle(records)
        consumer.poison.clear()

        handled = await handle(waiting.left)

        assert [r.position for r in waiting.left] == list(range(3, 15))
        assert handled == BatchResult(events=12)
        assert await _events(world, "o1", neighbour) == {neighbour: 7, "o1": 7}

    async def test_a_letter_tells_where_on_the_topic_its_event_was_read(self, world: World) -> None:
        records = await _lives("o1")
        handle = world.handling(Stumbling(poison={("o1", 6)}), origin=lambda r: Origin("order-events", 2, r.position))

        await handle(records)

        letters = await world.effects.dead_letters.of_order("analytics", "o1")
        assert [letter.origin for letter in letters] == [Origin("order-events", 2, 6), Origin("order-events", 2, 7)]

    async def test_a_letter_of_an_event_that_came_from_no_topic_has_no_origin(self, world: World) -> None:
        await world.handling(Stumbling(poison={("o1", 7)}))(await _lives("o1"))

        [letter] = await world.effects.dead_letters.blocking("analytics")

        assert letter.origin is None

    async def test_parked_events_are_to_be_copied_where_that_is_asked_for(self, world: World) -> None:
        records = await _lives("o1", "o2")
        await world.handling(Stumbling(poison={("o1", 5)}), copied=True)(records[:12])
        await world.handling(Stumbling(poison={("o2", 7)}), copied=False)(records[12:])

        letters = await world.effects.dead_letters.claim_copies(now=world.clock(), until=world.clock(), limit=9)

        parked = [it.record for it in await world.effects.dead_letters.of_order("analytics", "o1")]
        assert [letter.record for letter in letters] == parked[:2]
        assert len(parked) == 3

    async def test_bytes_that_say_nothing_park_their_order_at_once(self, world: World) -> None:
        records = await _lives("o1", "o2")
        broken = [r._replace(body=b"{}") if (r.order_id, r.sequence) == ("o1", 2) else r for r in records]

        handled = await world.handling()(broken)

        assert handled == BatchResult(events=8, parked=6)
        [letter] = await world.effects.dead_letters.blocking("analytics")
        assert (letter.error, letter.attempts, letter.record.body) == ("UndecodableEvent", 1, b"{}")
        assert "missing" in letter.message

    async def test_a_record_of_the_topic_that_is_none_of_ours_is_set_aside_once(self, world: World) -> None:
        foreign = UnrecognizedRecord(topic="t", partition=0, offset=5, key=b"k", value=b"junk", problem="no address")
        records = await _lives("o1")
        handle = world.handling()

        handled = await handle([foreign, *records])
        await handle([foreign])

        assert handled == BatchResult(events=7, foreign=1)
        assert [it.record for it in await world.effects.dead_letters.foreign("analytics")] == [foreign]

    async def test_a_backend_that_does_not_answer_parks_nothing_and_loses_nothing(self, world: World) -> None:
        records = await _lives("o1")
        handle = world.handling(
            consumer := Stumbling(poison={("o1", 3)}, failure=StorageUnavailable("database", "it is away"))
        )

        with pytest.raises(StorageUnavailable):
            await handle(records)
        consumer.poison.clear()
        handled = await handle(records)

        assert len(consumer.tries) == 1
        assert handled == BatchResult(events=7)

    async def test_redrive_handles_a_parked_order_to_its_end(self, world: World) -> None:
        records = await _lives("o1", "o2")
        consumer = Stumbling(poison={("o1", 3)})
        await world.handling(consumer)(records)
        consumer.poison.clear()

        done = await world.redrive(consumer)("o1")

        assert (done.events, done.unparked, done.stopped) == (5, ("o1",), ())
        assert await _events(world, "o1", "o2") == {"o1": 7, "o2": 7}
        assert await world.effects.dead_letters.blocking() == []

    async def test_redrive_stops_where_an_event_fails_again(self, world: World) -> None:
        records = await _lives("o1", "o2")
        consumer = Stumbling(poison={("o1", 3), ("o2", 7)})
        await world.handling(consumer)(records)
        world.clock.forward(minutes=1)

        done = await world.redrive(Stumbling(poison={("o1", 5)}, failure=KeyError("another")))()

        assert (done.events, done.unparked) == (3, ("o2",))
        [stopped] = done.stopped
        assert (stopped.record.sequence, stopped.error, stopped.attempts) == (5, "KeyError", 1)
        assert stopped.last_failed_at == world.clock()
        assert await world.effects.dead_letters.blocking() == [stopped]
        assert await _events(world, "o1", "o2") == {"o1": 4, "o2": 7}

    async def test_redrive_can_be_of_one_kind_of_failure(self, world: World) -> None:
        records = await _lives("o1", "o2")
        await world.handling(Stumbling(poison={("o1", 3)}))([r for r in records if r.order_id == "o1"])
        other = Stumbling(poison={("o2", 3)}, failure=KeyError("other"))
        await world.handling(other)([r for r in records if r.order_id == "o2"])

        done = await world.redrive(Analyse())(error="KeyError")

        assert done.unparked == ("o2",)
        assert [it.record.order_id for it in await world.effects.dead_letters.blocking()] == ["o1"]

    async def test_redrive_notes_with_each_event_who_asked_for_it_and_why(self, world: World) -> None:
        records = await _lives("o1")
        consumer = Stumbling(poison={("o1", 5)})
        await world.handling(consumer)(records)
        consumer.poison.clear()
        consumer.poison.add(("o1", 7))

        await world.redriving(consumer)(by="ann", reason="the oven is mended")

        history = await world.effects.dead_letters.history(limit=10)
        assert [(it.sequence, it.outcome, it.error, it.attempts) for it in history] == [
            (7, Outcome.FAILED, "ValueError", 1),
            (6, Outcome.HANDLED, "", 0),
            (5, Outcome.HANDLED, "ValueError", 3),
        ]
        assert {it.note for it in history} == {OperatorNote(by="ann", reason="the oven is mended", at=world.clock())}
        assert {(it.event_id, it.position) for it in history} == {(r.event_id, r.position) for r in records[4:]}

    async def test_what_is_noted_stands_with_the_effect_or_not_at_all(self, world: World) -> None:
        records = await _lives("o1")
        await world.handling(Stumbling(poison={("o1", 7)}))(records)
        away = Stumbling(poison={("o1", 7)}, failure=StorageUnavailable("database", "it is away"))

        with pytest.raises(StorageUnavailable):
            await world.redrive(away)()

        assert await world.effects.dead_letters.history(limit=10) == []
        assert [it.record.sequence for it in await world.effects.dead_letters.blocking()] == [7]

    @pytest.mark.parametrize("word", [{"by": "", "reason": "x"}, {"by": "ann", "reason": " "}])
    async def test_nothing_is_redriven_without_an_author_and_a_reason(self, world: World, word: dict[str, str]) -> None:
        await world.handling(Stumbling(poison={("o1", 7)}))(await _lives("o1"))

        with pytest.raises(InvalidInput):
            await world.redriving(Analyse())(**word)

        assert len(await world.effects.dead_letters.blocking()) == 1

    async def test_redrive_goes_at_the_pace_that_it_is_given(self, world: World) -> None:
        records = await _lives("o1", "o2")
        consumer = Stumbling(poison={("o1", 3), ("o2", 6)})
        await world.handling(consumer)(records)
        consumer.poison.clear()
        time = Time()

        done = await world.redrive(consumer)(pace=RateLimit(10, time, time.sleep))

        assert (done.events, done.unparked) == (7, ("o1", "o2"))
        assert time.now == pytest.approx(0.6)

    async def test_what_would_be_redriven_is_told_and_nothing_is_changed_by_asking(self, world: World) -> None:
        records = await _lives("o1", "o2")
        await world.handling(Stumbling(poison={("o1", 3), ("o2", 6)}))(records)
        redrive = world.redriving(Analyse())

        plan = await redrive.would()

        assert [(it.order_id, it.sequence, it.error, it.events) for it in plan] == [
            ("o1", 3, "ValueError", 5),
            ("o2", 6, "ValueError", 2),
        ]
        assert await redrive.would("o2") == plan[1:]
        assert await redrive.would(error="KeyError") == []
        assert await world.effects.dead_letters.waiting("analytics") == {"o1": 5, "o2": 2}
        assert await world.effects.dead_letters.history(limit=10) == []

    async def test_a_dropped_event_is_given_up_and_those_behind_it_are_redriven(self, world: World) -> None:
        records = await _lives("o1")
        consumer = Telling(world, poison={("o1", 3)})
        for record in records:
            await world.handling(consumer)([record])

        dropped = await world.drop("telling", "o1", by="ann", reason="the printer ate it")
        done = await world.redrive(consumer)()

        assert ([it.record.sequence for it in dropped.letters], dropped.unparked) == ([3], False)
        assert (done.events, done.unparked) == (4, ("o1",))
        assert consumer.told == [("o1", sequence) for sequence in (1, 2, 4, 5, 6, 7)]
        [*_, first] = await world.effects.dead_letters.history(limit=10)
        assert (first.sequence, first.outcome, first.error) == (3, Outcome.DROPPED, "ValueError")
        assert first.note == OperatorNote(by="ann", reason="the printer ate it", at=world.clock())
        assert await world.effects.dead_letters.dropped("telling") == {"o1": {3}}

    async def test_an_order_whose_letters_are_all_dropped_goes_on_in_the_stream(self, world: World) -> None:
        records = await _lives("o1", "o2")
        consumer = Telling(world, poison={("o1", 3), ("o2", 3)})
        handle = world.handling(consumer)
        for record in [r for r in records if r.sequence <= 5]:
            await handle([record])

        dropped = await world.drop("telling", "o1", by="ann", reason="a test order", with_followers=True)
        for record in [r for r in records if r.sequence > 5]:
            await handle([record])

        assert ([it.record.sequence for it in dropped.letters], dropped.unparked) == ([3, 4, 5], True)
        assert consumer.told[-2:] == [("o1", 6), ("o1", 7)]
        assert [it.record.order_id for it in await world.effects.dead_letters.blocking()] == ["o2"]

    async def test_what_is_not_parked_cannot_be_dropped(self, world: World) -> None:
        await world.handling(Stumbling(poison={("o1", 3)}))(await _lives("o1"))

        for consumer, order_id in (("analytics", "o2"), ("inventory", "o1")):
            with pytest.raises(NotFound):
                await world.drop(consumer, order_id, by="ann", reason="a slip")

        assert await world.effects.dead_letters.history(limit=10) == []

    async def test_an_order_goes_on_in_the_stream_once_it_is_unparked(self, world: World) -> None:
        records = await _lives("o1")
        consumer = Stumbling(poison={("o1", 2)})
        handle = world.handling(consumer)
        await handle(records[:4])
        consumer.poison.clear()
        await world.redrive(consumer)()

        handled = await handle(records[4:])

        assert handled == BatchResult(events=3)
        assert await _events(world, "o1") == {"o1": 7}

    async def test_what_is_done_outside_may_write_to_the_storage_itself(self, world: World) -> None:
        records = await _lives("o1", "o2")
        consumer = Telling(world)
        handle = world.handling(consumer)

        handled = await handle(records)
        await handle(records)

        assert handled == BatchResult(events=14)
        assert consumer.told == [(r.order_id, r.sequence) for r in records]
        assert await world.effects.stock.get("o1", "told") == 7

    async def test_what_is_done_outside_waits_behind_a_failure_and_is_redriven_in_order(self, world: World) -> None:
        records = await _lives("o1")
        consumer = Telling(world, poison={("o1", 3)})
        handle = world.handling(consumer)
        for record in records[:5]:
            await handle([record])
        consumer.poison.clear()

        done = await world.redrive(consumer)()
        handled = await handle(records[5:])

        assert (done.events, done.unparked, handled) == (3, ("o1",), BatchResult(events=2))
        assert consumer.told == [("o1", sequence) for sequence in range(1, 8)]

    async def test_what_is_done_outside_stops_where_it_fails_again(self, world: World) -> None:
        records = await _lives("o1")
        consumer = Telling(world, poison={("o1", 3)})
        for record in records:
            await world.handling(consumer)([record])

        done = await world.redrive(consumer)()

        [stopped] = done.stopped
        assert (done.events, stopped.record.sequence, stopped.attempts) == (0, 3, 4)

    async def test_events_that_come_while_their_order_is_redriven_never_overtake(self, world: World) -> None:
        records = await _lives("o1", "o2", "o3", "o4")
        consumer = Stumbling(poison={(order_id, 1) for order_id in ("o1", "o2", "o3", "o4")})
        handle = world.handling(consumer)
        await handle([r for r in records if r.sequence <= 3])
        consumer.poison.clear()
        later = [r for r in records if r.sequence > 3]

        async def stream() -> None:
            for at in range(0, len(later), 2):
                await handle(later[at : at + 2])

        # Events out of order would raise CorruptHistory, be parked, and show here.
        done, _ = await asyncio.gather(world.redrive(consumer)(), stream())

        assert done.stopped == ()
        await world.redrive(consumer)()
        assert await _events(world, "o1", "o2", "o3", "o4") == dict.fromkeys(("o1", "o2", "o3", "o4"), 7)
        assert await world.effects.dead_letters.blocking() == []


async def _lives(*order_ids: str) -> Sequence[LogRecord]:
    """The events of whole lives, seven of each order, one order's among the others'."""
    shop = Shop()
    for order_id in order_ids:
        await shop.live(order_id)
    records = await shop.records()
    return sorted(records, key=lambda record: (record.sequence, record.order_id))


async def _events(world: World, *order_ids: str) -> dict[str, int]:
    courses = await world.effects.analytics.of_orders(order_ids)
    return {order_id: course.events for order_id, course in sorted(courses.items())}
