"""Many commands at the same time, answered in the order in which they came."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
from orderflow.application.orders.in_order import in_order

DEADLINE = 60.0


class Source:
    """Items, and how many of them have been taken."""

    def __init__(self, items: Iterable[str]) -> None:
        self.items = list(items)
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[str]:
        for item in self.items:
            self.taken += 1
            yield item


class Gate:
    """Runs an item to its end when it is opened for it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.open: dict[str, asyncio.Event] = {}

    async def __call__(self, item: str) -> str:
        self.begun.append(item)
        self.open[item] = asyncio.Event()
        try:
            await self.open[item].wait()
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        return item.upper()


async def turns() -> None:
    """Return when everything that can run has run."""
    for _ in range(50):
        await asyncio.sleep(0)


async def outcomes_of(source: Source, gate: Gate, at_once: int, seen: list[str]) -> None:
    async for outcome in in_order(aiter(source), gate, at_once=at_once, resources=lambda item: item[:1]):
        seen.append(outcome)


async def test_items_run_at_the_same_time_and_their_outcomes_come_in_order() -> None:
    source, gate, seen = Source(["a", "b", "c", "d"]), Gate(), list[str]()
    running = asyncio.create_task(outcomes_of(source, gate, 3, seen))
    await turns()
    assert (gate.begun, source.taken) == (["a", "b", "c"], 3)

    gate.open["c"].set()
    gate.open["b"].set()
    await turns()
    assert seen == []
    gate.open["a"].set()
    await turns()
    assert seen == ["A", "B", "C"]
    gate.open["d"].set()

    await asyncio.wait_for(running, DEADLINE)
    assert seen == ["A", "B", "C", "D"]


async def test_an_outcome_does_not_wait_for_further_items() -> None:
    more, seen = asyncio.Event(), list[str]()

    async def slow() -> AsyncIterator[str]:
        yield "a"
        await more.wait()
        yield "b"

    async def echo(item: str) -> str:
        return item

    async def collect() -> None:
        async for outcome in in_order(slow(), echo, at_once=3, resources=lambda _: ()):
            seen.append(outcome)

    running = asyncio.create_task(collect())
    await turns()
    assert seen == ["a"]
    more.set()
    await asyncio.wait_for(running, DEADLINE)
    assert seen == ["a", "b"]


async def test_items_with_the_same_resource_take_turns() -> None:
    source, gate, seen = Source(["a1", "a2", "b1", "a3"]), Gate(), list[str]()
    running = asyncio.create_task(outcomes_of(source, gate, 10, seen))
    await turns()

    assert gate.begun == ["a1", "b1"]
    gate.open["a1"].set()
    await turns()
    assert gate.begun == ["a1", "b1", "a2"]
    gate.open["a2"].set()
    await turns()
    for item in ("b1", "a3"):
        gate.open[item].set()

    await asyncio.wait_for(running, DEADLINE)
    assert seen == ["A1", "A2", "B1", "A3"]


async def test_what_runs_is_cancelled_when_the_iteration_ends_early() -> None:
    source, gate = Source("abc"), Gate()
    running = asyncio.create_task(outcomes_of(source, gate, 10, []))
    await turns()

    running.cancel()
    await asyncio.wait({running}, timeout=DEADLINE)

    assert running.cancelled()
    assert sorted(gate.cancelled) == ["a", "b", "c"]


async def test_an_error_of_an_item_ends_the_iteration_and_cancels_the_others() -> None:
    gate = Gate()

    async def run(item: str) -> str:
        if item == "a":
            raise ValueError(item)
        return await gate(item)

    outcomes = in_order(aiter(Source("ab")), run, at_once=10, resources=lambda _: ())
    with pytest.raises(ValueError, match="a"):
        await anext(outcomes)

    assert gate.cancelled == gate.begun
