"""Transient failures are tried again in a moment, and the loop waits for that moment and no longer."""

import asyncio
from collections.abc import Sequence

import pytest
from attrs import define
from orderflow.application.backoff import Backoff
from orderflow.application.consuming.consumer import BatchResult
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.consuming.transient_errors import is_transient
from orderflow.application.event_log.records import LogRecord, UnrecognizedRecord
from orderflow.domain.errors import (
    ConcurrentChange,
    CorruptHistory,
    StorageUnavailable,
    TransientFailure,
    UndecodableEvent,
)
from orderflow.testing.consumers.shop import Shop
from orderflow.testing.consumers.world import memory_world

from tests.support.waiting import eventually_async

from .test_run_consumer import Tape


class ClientError(Exception):
    """Some library's own."""


def raised_from(cause: BaseException) -> ClientError:
    error = ClientError("it did not work")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "failure",
    [
        TransientFailure("the printer is busy"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
        ConcurrentChange("O1", 3),
        raised_from(raised_from(TimeoutError())),
        raised_from(StorageUnavailable("PostgreSQL", "restarting")),
        ExceptionGroup("two at once", [TimeoutError(), ConnectionRefusedError()]),
    ],
    ids=repr,
)
def test_what_passes_by_itself_is_worth_another_try(failure: Exception) -> None:
    assert is_transient(failure)


@pytest.mark.parametrize(
    "failure",
    [
        ValueError("poison"),
        FileNotFoundError(2, "No such file or directory"),
        CorruptHistory("O1", 4, "it follows number 2"),
        UndecodableEvent("data", "it is missing", "an object"),
        raised_from(KeyError("price")),
        ExceptionGroup("two at once", [TimeoutError(), KeyError("price")]),
    ],
    ids=repr,
)
def test_what_would_fail_again_is_not(failure: Exception) -> None:
    assert not is_transient(failure)


def test_errors_that_were_raised_from_each_other_are_looked_through_once() -> None:
    one = ClientError()
    one.__cause__ = raised_from(one)

    assert not is_transient(one)


@define(eq=False)
class HesitatingHandler:
    """Leaves the second half of what it is given, so many times."""

    times: int
    given: list[int]

    async def __call__(self, records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        self.given.append(len(records))
        if not self.times:
            return BatchResult(events=len(records))
        self.times -= 1
        rest = tuple(each for each in records[len(records) // 2 :] if isinstance(each, LogRecord))
        return BatchResult(events=len(records) - len(rest), left=rest)


async def loop(times: int, retry_backoff: Backoff) -> tuple[RunConsumer, HesitatingHandler, Tape]:
    """A consumer's loop over eight records and then none."""
    shop = Shop()
    for number in range(8):
        await shop.order(f"o{number}")
    tape, handling = Tape([await shop.records()]), HesitatingHandler(times, [])
    consumer = memory_world().handling().consumer
    return (
        RunConsumer(source=tape, handle_batch=handling, consumer=consumer, retry_backoff=retry_backoff),
        handling,
        tape,
    )


async def test_what_is_left_is_given_again_before_anything_else_and_only_then_is_the_batch_done() -> None:
    run, handling, tape = await loop(2, Backoff(0, 0))
    stop = asyncio.Event()
    running = asyncio.create_task(run(stop))

    await eventually_async(lambda: tape.done_at == 1)

    stop.set()
    await running
    assert handling.given == [8, 4, 2]
    assert run.handled == 8


async def test_the_pauses_grow_from_try_to_try_and_begin_anew_with_the_next_event() -> None:
    chances: list[float] = []

    def chance() -> float:
        chances.append(moment._next)
        return 0.0

    moment = Backoff(first=0.001, longest=0.004, jitter=chance)
    run, _, tape = await loop(3, moment)
    stop = asyncio.Event()
    running = asyncio.create_task(run(stop))

    await eventually_async(lambda: tape.done_at == 1)

    stop.set()
    await running
    assert chances == [0.002, 0.004, 0.004]
    assert moment._next == 0.001


async def test_a_stop_does_not_wait_for_the_next_try_and_leaves_it_to_the_next_process() -> None:
    run, handling, tape = await loop(1, Backoff(first=3600, longest=3600))
    stop = asyncio.Event()
    running = asyncio.create_task(run(stop))
    await eventually_async(lambda: handling.given == [8])

    stop.set()
    await asyncio.wait_for(running, 180)

    assert (handling.given, tape.done_at, tape.closed) == ([8], 0, True)
