"""The consumer's loop handles everything once, waits for what is missing, and goes on until it is stopped."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from attrs import define, evolve, field
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.backoff import Backoff, Linger
from orderflow.application.consuming.consumer import BatchResult
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.event_log.records import LogRecord, UnrecognizedRecord, bucket_of
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.write_set import WriteSet
from orderflow.domain.errors import StorageUnavailable, StreamUnavailable
from orderflow.domain.events import OrderCreated, OrderLine
from orderflow.domain.money import Money
from orderflow.testing.consumers.world import World, memory_world

from tests.support.waiting import eventually_async

BUCKET = 7
Record = LogRecord | UnrecognizedRecord


@define(eq=False)
class Tape:
    """A source that plays batches in order; ``rewind`` plays from what was not done. Errors in it are raised once."""

    batches: list[Sequence[Record] | Exception]
    at: int = 0
    done_at: int = 0
    rewinds: int = 0
    stood_by: int = 0
    closed: bool = False

    async def read(self, limit: int) -> Sequence[Record]:
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.001)
        if self.at == len(self.batches):
            return []
        batch = self.batches[self.at]
        if isinstance(batch, Exception):
            del self.batches[self.at]
            raise batch
        self.at += 1
        return batch

    async def done(self) -> None:
        self.done_at = self.at

    async def rewind(self) -> None:
        self.at = self.done_at
        self.rewinds += 1

    async def pause(self) -> None:
        self.stood_by += 1

    async def close(self) -> None:
        self.closed = True


@define(eq=False)
class FailingHandler:
    """Hands on to a real handler, after failing or being overtaken so many times."""

    world: World
    failures: int = 0
    overtaken: int = 0
    given: list[Sequence[Record]] = field(factory=list)

    async def __call__(self, records: Sequence[Record]) -> BatchResult:
        self.given.append(records)
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("database", "away")
        if self.overtaken:
            self.overtaken -= 1
            return BatchResult()
        return await self.world.handling(Analyse())(records)


def consumer(tape: Tape, handling: FailingHandler, **settings: Any) -> RunConsumer:
    quick = Backoff(first=0.001, longest=0.01)
    return RunConsumer(
        source=tape, handle_batch=handling, consumer=Analyse(), backoff=quick, gap_backoff=evolve(quick), **settings
    )


async def running(run: RunConsumer, until: int) -> None:
    """Run until so many events are handled, then stop."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(stop))
    await eventually_async(lambda: run.handled >= until or task.done())
    stop.set()
    await task


@pytest.fixture
async def world() -> World:
    """A log of ten orders, all in one bucket."""
    world = memory_world()
    ids = [order_id for n in range(10_000) if bucket_of(order_id := f"order-{n}") == BUCKET]
    for order_id in ids[:10]:
        await GroupCommit(world.storage.committer).commit(WriteSet(events=[created(order_id)]))
    return world


def created(order_id: str) -> OrderCreated:
    price = Money(Decimal("12.50"), "USD")
    line = OrderLine(food_id="F", food_name="Pho", price=price, quantity=1, discount=Money.zero("USD"))
    return OrderCreated(
        order_id=order_id,
        customer_id="C",
        sequence=1,
        occurred_at=datetime(2024, 5, 17, tzinfo=UTC),
        restaurant_id="R",
        total=price,
        lines=(line,),
    )


@pytest.fixture
async def records(world: World) -> Sequence[LogRecord]:
    return await world.storage.log.read({BUCKET: 0}, limit=10)


async def reached(world: World) -> list[int]:
    return list((await world.storage.cursors.positions("analytics")).values())


async def test_it_handles_batch_after_batch_and_reports_to_the_source(
    world: World, records: Sequence[LogRecord]
) -> None:
    tape = Tape([records[:4], records[4:]])

    await running(consumer(tape, FailingHandler(world)), 10)

    assert await reached(world) == [10]
    assert tape.done_at == 2
    assert tape.closed


async def test_a_database_that_does_not_answer_is_asked_again_with_the_same_batch(
    world: World, records: Sequence[LogRecord]
) -> None:
    handling, tape = FailingHandler(world, failures=3), Tape([records])
    run = consumer(tape, handling)

    await running(run, 10)

    assert handling.given == [records] * 4
    assert (run.failures, tape.rewinds) == (3, 0)


async def test_a_stream_that_does_not_answer_is_asked_again(world: World, records: Sequence[LogRecord]) -> None:
    run = consumer(Tape([records[:4], StreamUnavailable("Kafka", "away"), records[4:]]), FailingHandler(world))

    await running(run, 10)

    assert run.failures == 1
    assert await reached(world) == [10]


async def test_a_batch_in_which_another_handler_was_faster_is_handled_again(
    world: World, records: Sequence[LogRecord]
) -> None:
    run = consumer(Tape([records]), FailingHandler(world, overtaken=2))

    await running(run, 10)

    assert await reached(world) == [10]


async def test_missing_events_are_reported_and_what_is_not_done_is_read_again(
    world: World, records: Sequence[LogRecord], caplog: pytest.LogCaptureFixture
) -> None:
    tape = Tape([records[4:], records[:4]])
    run = consumer(tape, FailingHandler(world))

    with caplog.at_level(logging.ERROR, "orderflow.consumer"):
        await running(run, 10)

    assert await reached(world) == [10]
    assert tape.rewinds >= 1
    assert any("events missing: 4" in line.message for line in caplog.records)


async def test_what_waits_for_missing_events_is_never_done(world: World, records: Sequence[LogRecord]) -> None:
    tape, stop = Tape([records[4:]]), asyncio.Event()
    run = consumer(tape, FailingHandler(world))
    task = asyncio.create_task(run(stop))

    await eventually_async(lambda: tape.rewinds >= 3)

    assert tape.done_at == 0
    assert run.gaps >= 3
    stop.set()
    await task


async def test_a_stop_finishes_the_batch_in_hand(world: World, records: Sequence[LogRecord]) -> None:
    stop, tape = asyncio.Event(), Tape([records])

    class StoppingHandler(FailingHandler):
        async def __call__(self, given: Sequence[Record]) -> BatchResult:
            stop.set()
            return await super().__call__(given)

    await consumer(tape, StoppingHandler(world))(stop)

    assert await reached(world) == [10]
    assert (tape.done_at, tape.closed) == (1, True)


async def test_news_may_gather_after_a_batch_that_was_not_full_and_a_stop_does_not_wait_for_it(
    world: World, records: Sequence[LogRecord]
) -> None:
    an_hour, stop = Linger(share=1e-12, longest=3600), asyncio.Event()
    tape = Tape([records[:4], records[4:6], records[6:]])
    run = consumer(tape, FailingHandler(world), batch=4, linger=an_hour)
    task = asyncio.create_task(run(stop))
    await eventually_async(lambda: tape.done_at == 2)

    stop.set()
    async with asyncio.timeout(10):
        await task

    assert await reached(world) == [6]


class Switch:
    """A pause of the consumer that the test switches."""

    def __init__(self, *, paused: bool) -> None:
        self.paused = paused

    async def __call__(self) -> bool:
        return self.paused


async def test_a_paused_consumer_keeps_its_place_and_handles_nothing(
    world: World, records: Sequence[LogRecord]
) -> None:
    tape, stop, switch = Tape([records]), asyncio.Event(), Switch(paused=True)
    run = consumer(tape, FailingHandler(world), paused=switch)
    task = asyncio.create_task(run(stop))

    await eventually_async(lambda: tape.stood_by >= 2)

    assert (tape.at, run.handled) == (0, 0)
    stop.set()
    await task


async def test_a_consumer_that_is_resumed_goes_on_where_it_stood(world: World, records: Sequence[LogRecord]) -> None:
    tape, stop, switch = Tape([records[:4], records[4:]]), asyncio.Event(), Switch(paused=True)
    run = consumer(tape, FailingHandler(world), paused=switch)
    task = asyncio.create_task(run(stop))
    await eventually_async(lambda: tape.stood_by >= 1)

    switch.paused = False
    await eventually_async(lambda: run.handled == 10 or task.done())

    stop.set()
    await task
    assert await reached(world) == [10]
    assert tape.rewinds == 0


async def test_what_was_read_while_the_pause_began_is_handled_only_after_it(
    world: World, records: Sequence[LogRecord]
) -> None:
    switch, stop = Switch(paused=False), asyncio.Event()

    class PausedMeanwhile(Tape):
        async def read(self, limit: int) -> Sequence[Record]:
            switch.paused = True
            return await super().read(limit)

    tape, handling = PausedMeanwhile([records]), FailingHandler(world)
    run = consumer(tape, handling, paused=switch)
    task = asyncio.create_task(run(stop))
    await eventually_async(lambda: tape.stood_by >= 1)
    before = list(handling.given)

    switch.paused = False
    await eventually_async(lambda: run.handled == 10 or task.done())

    stop.set()
    await task
    assert (before, handling.given) == ([], [records])
