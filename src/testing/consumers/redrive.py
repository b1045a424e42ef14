"""The promises of redriving and dropping dead letters, on every storage."""

import asyncio
from typing import Any

import pytest
from attrs import define

from ...application.analytics.analyse import Analyse
from ...application.backoff import RateLimit
from ...application.consuming.consumer import BatchResult
from ...application.consuming.dead_letter import Outcome
from ...application.operator_note import OperatorNote
from ...domain.errors import InvalidInput, NotFound, StorageUnavailable
from .handle_batch import FailingAnalytics, OutsideEffects, handled_events, whole_lives
from .world import World


@define
class Time:
    """A clock that advances during sleeps."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.asyncio
class RedriveContract:
    """Subclassed with a fixture ``world``."""

    async def test_redrive_handles_a_parked_order_to_its_end(self, world: World) -> None:
        await world.handling(FailingAnalytics(poison={("o1", 3)}))(await whole_lives("o1", "o2"))

        done = await world.redrive(Analyse())("o1")

        assert (done.events, done.unparked, done.stopped) == (5, ("o1",), ())
        assert await handled_events(world) == {"o1": 7, "o2": 7}
        assert await world.effects.dead_letters.blocking() == []

    async def test_redrive_stops_where_an_event_fails_again(self, world: World) -> None:
        await world.handling(FailingAnalytics(poison={("o1", 3), ("o2", 7)}))(await whole_lives("o1", "o2"))
        world.clock.forward(minutes=1)

        done = await world.redrive(FailingAnalytics(poison={("o1", 5)}, failure=KeyError("another")))()

        assert (done.events, done.unparked) == (3, ("o2",))
        [stopped] = done.stopped
        assert (stopped.record.sequence, stopped.error, stopped.attempts) == (5, "KeyError", 1)
        assert stopped.last_failed_at == world.clock()
        assert await world.effects.dead_letters.blocking() == [stopped]
        assert await handled_events(world) == {"o1": 4, "o2": 7}

    async def test_redrive_can_be_of_one_kind_of_failure(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        await world.handling(FailingAnalytics(poison={("o1", 3)}))([r for r in records if r.order_id == "o1"])
        other = FailingAnalytics(poison={("o2", 3)}, failure=KeyError("other"))
        await world.handling(other)([r for r in records if r.order_id == "o2"])

        done = await world.redrive(Analyse())(error="KeyError")

        assert done.unparked == ("o2",)
        assert [it.record.order_id for it in await world.effects.dead_letters.blocking()] == ["o1"]

    async def test_redrive_records_the_operators_note_with_each_event(self, world: World) -> None:
        records = await whole_lives("o1")
        await world.handling(FailingAnalytics(poison={("o1", 5)}))(records)

        await world.redriving(FailingAnalytics(poison={("o1", 7)}))(by="ann", reason="the oven is fixed")

        history = await world.effects.dead_letters.history(limit=10)
        assert [(it.sequence, it.outcome, it.error, it.attempts) for it in history] == [
            (7, Outcome.FAILED, "ValueError", 1),
            (6, Outcome.HANDLED, "", 0),
            (5, Outcome.HANDLED, "ValueError", 3),
        ]
        assert {it.note for it in history} == {OperatorNote(by="ann", reason="the oven is fixed", at=world.clock())}
        assert {(it.event_id, it.position) for it in history} == {(r.event_id, r.position) for r in records[4:]}

    async def test_the_note_is_committed_with_the_effect_or_not_at_all(self, world: World) -> None:
        await world.handling(FailingAnalytics(poison={("o1", 7)}))(await whole_lives("o1"))
        away = FailingAnalytics(poison={("o1", 7)}, failure=StorageUnavailable("database", "it is away"))

        with pytest.raises(StorageUnavailable):
            await world.redrive(away)()

        assert await world.effects.dead_letters.history(limit=10) == []
        assert [it.record.sequence for it in await world.effects.dead_letters.blocking()] == [7]

    @pytest.mark.parametrize("word", [{"by": "", "reason": "x"}, {"by": "ann", "reason": " "}])
    async def test_nothing_is_redriven_without_an_author_and_a_reason(self, world: World, word: dict[str, Any]) -> None:
        await world.handling(FailingAnalytics(poison={("o1", 7)}))(await whole_lives("o1"))

        with pytest.raises(InvalidInput):
            await world.redriving(Analyse())(**word)

        assert len(await world.effects.dead_letters.blocking()) == 1

    async def test_redrive_keeps_its_rate_limit(self, world: World) -> None:
        await world.handling(FailingAnalytics(poison={("o1", 3), ("o2", 6)}))(await whole_lives("o1", "o2"))
        time = Time()

        done = await world.redrive(Analyse())(pace=RateLimit(10, time, time.sleep))

        assert (done.events, done.unparked) == (7, ("o1", "o2"))
        assert time.now == pytest.approx(0.6)

    async def test_a_dry_run_lists_the_events_to_redrive_and_changes_nothing(self, world: World) -> None:
        await world.handling(FailingAnalytics(poison={("o1", 3), ("o2", 6)}))(await whole_lives("o1", "o2"))
        redrive = world.redriving(Analyse())

        plan = await redrive.preview()

        assert [(it.order_id, it.sequence, it.error, it.events) for it in plan] == [
            ("o1", 3, "ValueError", 5),
            ("o2", 6, "ValueError", 2),
        ]
        assert await redrive.preview("o2") == plan[1:]
        assert await redrive.preview(limit=1) == plan[:1]
        assert await redrive.preview(error="KeyError") == []
        assert await world.effects.dead_letters.waiting("analytics", ["o1", "o2", "o9"]) == {"o1": 5, "o2": 2}
        assert await world.effects.dead_letters.history(limit=10) == []

    async def test_a_dropped_event_is_skipped_and_those_behind_it_are_redriven(self, world: World) -> None:
        records = await whole_lives("o1")
        consumer = OutsideEffects(world, poison={("o1", 3)})
        for record in records:
            await world.handling(consumer)([record])

        dropped = await world.drop("recording", "o1", by="ann", reason="the printer ate it")
        done = await world.redrive(consumer)()

        assert ([it.record.sequence for it in dropped.dead_letters], dropped.unparked) == ([3], False)
        assert (done.events, done.unparked) == (4, ("o1",))
        assert consumer.handled == [("o1", sequence) for sequence in (1, 2, 4, 5, 6, 7)]
        [*_, first] = await world.effects.dead_letters.history(limit=10)
        assert (first.sequence, first.outcome, first.error) == (3, Outcome.DROPPED, "ValueError")
        assert first.note == OperatorNote(by="ann", reason="the printer ate it", at=world.clock())
        assert await world.effects.dead_letters.dropped("recording") == {"o1": {3}}

    async def test_an_order_whose_dead_letters_are_all_dropped_continues_with_the_stream(self, world: World) -> None:
        records = await whole_lives("o1", "o2")
        consumer = OutsideEffects(world, poison={("o1", 3), ("o2", 3)})
        handle = world.handling(consumer)
        for record in [r for r in records if r.sequence <= 5]:
            await handle([record])

        dropped = await world.drop("recording", "o1", by="ann", reason="a test order", with_followers=True)
        for record in [r for r in records if r.sequence > 5]:
            await handle([record])

        assert ([it.record.sequence for it in dropped.dead_letters], dropped.unparked) == ([3, 4, 5], True)
        assert consumer.handled[-2:] == [("o1", 6), ("o1", 7)]
        assert [it.record.order_id for it in await world.effects.dead_letters.blocking()] == ["o2"]

    async def test_events_that_are_not_parked_cannot_be_dropped(self, world: World) -> None:
        await world.handling(FailingAnalytics(poison={("o1", 3)}))(await whole_lives("o1"))

        for consumer, order_id in (("analytics", "o2"), ("inventory", "o1")):
            with pytest.raises(NotFound):
                await world.drop(consumer, order_id, by="ann", reason="a slip")

        assert await world.effects.dead_letters.history(limit=10) == []

    async def test_events_of_an_outside_handler_wait_behind_a_failure_and_are_redriven_in_order(
        self, world: World
    ) -> None:
        records = await whole_lives("o1")
        consumer = OutsideEffects(world, poison={("o1", 3)})
        handle = world.handling(consumer)
        for record in records[:5]:
            await handle([record])
        consumer.poison.clear()

        done = await world.redrive(consumer)()
        handled = await handle(records[5:])

        assert (done.events, done.unparked, handled) == (3, ("o1",), BatchResult(events=2))
        assert consumer.handled == [("o1", sequence) for sequence in range(1, 8)]

    async def test_a_redrive_of_an_outside_handler_stops_at_an_event_that_fails_again(self, world: World) -> None:
        records = await whole_lives("o1")
        consumer = OutsideEffects(world, poison={("o1", 3)})
        for record in records:
            await world.handling(consumer)([record])

        done = await world.redrive(consumer)()

        [stopped] = done.stopped
        assert (done.events, stopped.record.sequence, stopped.attempts) == (0, 3, 4)

    async def test_events_that_arrive_during_a_redrive_of_their_order_stay_in_order(self, world: World) -> None:
        records = await whole_lives("o1", "o2", "o3", "o4")
        consumer = FailingAnalytics(poison={(order_id, 1) for order_id in ("o1", "o2", "o3", "o4")})
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
        assert await handled_events(world) == dict.fromkeys(("o1", "o2", "o3", "o4"), 7)
        assert await world.effects.dead_letters.blocking() == []
