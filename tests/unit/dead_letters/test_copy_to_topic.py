"""Parked events are copied to their topic at least once, and a failure of that topic harms nothing else."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import pytest
from attrs import define, field
from orderflow.application.backoff import Backoff
from orderflow.application.consuming.dead_letter import DeadLetter
from orderflow.application.dead_letters.copy_to_topic import LEASE, CopyDeadLetters, RunCopying
from orderflow.domain.errors import StreamUnavailable
from orderflow.testing.consumers.handle_batch import FailingAnalytics
from orderflow.testing.consumers.shop import Shop
from orderflow.testing.consumers.world import World, memory_world

from tests.support.waiting import eventually_async


@define(eq=False)
class Shelf:
    """A topic that refuses so many times; then it has what it is given."""

    refusals: int = 0
    stands: list[tuple[str, int]] = field(factory=list)
    closed: bool = False

    async def put(self, dead_letters: Sequence[DeadLetter]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StreamUnavailable("Kafka", "away")
        self.stands += [(dead_letter.record.order_id, dead_letter.record.sequence) for dead_letter in dead_letters]

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
async def world() -> World:
    """Analytics has parked an order at its fifth event."""
    world, shop = memory_world(), Shop()
    await shop.live("o1")
    await world.handling(FailingAnalytics(poison={("o1", 5)}), copied=True)(await shop.records())
    return world


def copying(world: World, shelf: Shelf) -> CopyDeadLetters:
    async def now() -> datetime:
        return world.clock()

    return CopyDeadLetters(world.effects.dead_letters, shelf, now)


async def test_each_letter_is_copied_once_and_in_order(world: World) -> None:
    shelf = Shelf()

    copied = [await copying(world, shelf)() for _ in range(2)]

    assert copied == [3, 0]
    assert shelf.stands == [("o1", 5), ("o1", 6), ("o1", 7)]


async def test_what_a_process_did_not_come_to_is_copied_after_its_lease(world: World) -> None:
    shelf = Shelf(refusals=1)
    copy = copying(world, shelf)
    with pytest.raises(StreamUnavailable):
        await copy()
    at_once = await copy()

    world.clock.forward(seconds=LEASE.seconds)

    assert (at_once, await copy()) == (0, 3)
    assert shelf.stands == [("o1", 5), ("o1", 6), ("o1", 7)]


async def test_what_was_redriven_before_is_not_copied(world: World) -> None:
    shelf = Shelf()
    await world.redrive(FailingAnalytics())()

    assert await copying(world, shelf)() == 0
    assert shelf.stands == []


async def test_the_loop_retries_reports_the_failure_and_ends_when_it_is_stopped(world: World) -> None:
    shelf, failures = Shelf(refusals=2), list[Exception]()
    copy = copying(world, shelf)

    async def once_more() -> int:
        world.clock.forward(seconds=LEASE.seconds)
        return await copy()

    quick = Backoff(first=0.001, longest=0.001)
    run = RunCopying(copy=once_more, topic=shelf, failed=failures.append, seconds=3600, backoff=quick)
    stop = asyncio.Event()
    running = asyncio.create_task(run(stop))
    await eventually_async(lambda: len(shelf.stands) == 3 or running.done())

    stop.set()
    await asyncio.wait_for(running, 180)

    assert len(failures) == 2
    assert shelf.closed
