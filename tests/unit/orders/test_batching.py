"""Batches of many callers' work."""

import asyncio
from collections.abc import Sequence

import pytest
from attrs import define, field
from orderflow.application.orders.batching import Batcher, Batching, own
from orderflow.domain.errors import OrderNotFound, StorageBusy, StorageUnavailable

from tests.support.waiting import eventually_async


@define
class Doubling:
    """Doubles numbers, each batch when it is released."""

    batches: list[list[int]] = field(factory=list)
    release: asyncio.Event = field(factory=asyncio.Event)

    async def __call__(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append([*numbers])
        await self.release.wait()
        return [OrderNotFound(str(number)) if number < 0 else 2 * number for number in numbers]


@pytest.fixture
def work() -> Doubling:
    return Doubling()


async def test_a_caller_who_finds_nothing_running_runs_alone_and_those_who_come_meanwhile_together(
    work: Doubling,
) -> None:
    batcher = Batcher(work, Batching(size=3, limit=10, preparation=0))

    callers = await _waiting(batcher, work, 1, 2, 3, 4, 5)
    work.release.set()

    assert await asyncio.gather(*callers) == [2, 4, 6, 8, 10]
    assert work.batches == [[1], [2, 3, 4], [5]]


@pytest.mark.parametrize(("preparation", "sizes"), [(0.0, [1, 4, 4, 3]), (1e9, [1, 2, 2, 2, 2, 2, 1])])
async def test_callers_with_more_to_do_share_slow_batches_and_take_turns_in_fast_ones(
    preparation: float, sizes: list[int]
) -> None:
    batches: list[int] = []

    async def run(numbers: Sequence[int]) -> Sequence[int | Exception]:
        batches.append(len(numbers))
        for _ in range(5):
            await asyncio.sleep(0)
        return numbers

    batcher = Batcher(run, Batching(size=9, limit=10, preparation=preparation))

    async def caller() -> None:
        for number in range(3):
            assert await batcher(number) == number

    await asyncio.gather(*(caller() for _ in range(4)))

    assert batches == sizes


async def test_after_all_is_done_the_next_caller_runs_alone_again(work: Doubling) -> None:
    work.release.set()
    batcher = Batcher(work, Batching(size=3, limit=10))

    assert [await batcher(1), await batcher(2)] == [2, 4]
    assert work.batches == [[1], [2]]


async def test_an_error_reaches_its_caller_alone(work: Doubling) -> None:
    batcher = Batcher(work, Batching(size=9, limit=10, preparation=0))

    callers = await _waiting(batcher, work, -1, 2, -3, 4)
    work.release.set()

    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert [str(it) if isinstance(it, OrderNotFound) else it for it in outcomes] == [
        str(OrderNotFound("-1")),
        4,
        str(OrderNotFound("-3")),
        8,
    ]


async def test_a_caller_who_is_cancelled_while_waiting_takes_the_item_back(work: Doubling) -> None:
    batcher = Batcher(work, Batching(size=9, limit=10, preparation=0))
    first, second, third = await _waiting(batcher, work, 1, 2, 3)

    second.cancel()
    await asyncio.sleep(0)
    work.release.set()

    assert await asyncio.gather(first, third) == [2, 6]
    assert work.batches == [[1], [3]]


async def test_a_caller_who_is_cancelled_while_the_batch_runs_does_no_harm_to_the_others(work: Doubling) -> None:
    batcher = Batcher(work, Batching(size=9, limit=10, preparation=0))
    first, second, third = await _waiting(batcher, work, 1, 2, 3)

    first.cancel()
    await eventually_async(lambda: len(work.batches) == 2)
    second.cancel()
    work.release.set()

    assert await third == 6
    assert work.batches == [[1], [2, 3]]
    assert await batcher(4) == 8


async def test_more_than_the_limit_are_refused_at_once_and_counted(work: Doubling) -> None:
    refused: list[None] = []
    batcher = Batcher(work, Batching(size=9, limit=2, refused=lambda: refused.append(None)))
    callers = await _waiting(batcher, work, 1, 2, 3)

    with pytest.raises(StorageBusy, match="2 requests wait"):
        await batcher(4)

    work.release.set()
    assert await asyncio.gather(*callers) == [2, 4, 6]
    assert len(refused) == 1


async def test_work_that_fails_as_a_whole_fails_every_caller_and_the_next_batch_runs() -> None:
    async def fail(numbers: Sequence[int]) -> Sequence[int | Exception]:
        await asyncio.sleep(0)
        if 2 in numbers:
            raise StorageUnavailable("storage", "away")
        return numbers

    batcher = Batcher(fail, Batching(size=2, limit=10, preparation=0))

    outcomes = await asyncio.gather(*(batcher(number) for number in (1, 2, 3, 4)), return_exceptions=True)

    assert [type(it) for it in outcomes] == [int, StorageUnavailable, StorageUnavailable, int]


def test_an_own_error_is_a_copy_with_its_cause() -> None:
    error = StorageUnavailable("storage", "away")
    error.__cause__ = cause = OSError("reset")

    mine = own(error)

    assert mine is not error
    assert (str(mine), mine.__cause__) == (str(error), cause)


async def _waiting(batcher: Batcher[int, int], work: Doubling, *numbers: int) -> list["asyncio.Task[int]"]:
    """Callers in this order, of whom the first runs and the others wait."""
    callers = [asyncio.create_task(batcher(number)) for number in numbers]
    await eventually_async(lambda: len(work.batches) == 1)
    return callers
