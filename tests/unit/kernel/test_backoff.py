"""Back-off, linger, rate limits, and pauses that can be stopped."""

import asyncio

import pytest
from orderflow.application.backoff import Backoff, Linger, RateLimit, pause, unless_stopped
from orderflow.domain.errors import InvalidInput


def test_each_pause_is_twice_the_last_up_to_the_longest() -> None:
    backoff = Backoff(first=0.1, longest=0.5, jitter=lambda: 1.0)

    pauses = [backoff.pause() for _ in range(5)]

    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.5, 0.5])


def test_half_of_a_pause_is_jitter() -> None:
    assert Backoff(first=0.1, longest=0.5, jitter=lambda: 0.0).pause() == pytest.approx(0.05)


def test_after_a_success_pauses_are_short_again() -> None:
    backoff = Backoff(first=0.1, longest=0.5, jitter=lambda: 1.0)
    for _ in range(4):
        backoff.pause()

    backoff.reset()

    assert backoff.pause() == pytest.approx(0.1)


async def test_a_stop_ends_a_pause() -> None:
    stop = asyncio.Event()
    pausing = asyncio.create_task(pause(stop, 3600))

    stop.set()

    await asyncio.wait_for(pausing, 180)


async def test_a_failure_of_the_awaitable_is_raised() -> None:
    async def failing() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unless_stopped(asyncio.Event(), failing())


def test_the_linger_is_in_proportion_to_the_work_and_never_longer_than_allowed() -> None:
    linger = Linger(share=0.2, longest=0.25)

    assert linger.after(0.01) == pytest.approx(0.04)
    assert linger.after(10.0) == 0.25
    assert linger.after(0.0) == 0.0


class Time:
    """A clock that advances during each sleep."""

    def __init__(self) -> None:
        self.now, self.naps = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.naps.append(seconds)


async def test_a_rate_limit_spreads_the_turns_evenly_and_the_first_is_immediate() -> None:
    time = Time()
    limit = RateLimit(4, time, time.sleep)

    for _ in range(5):
        await limit.turn()

    assert time.naps == [0.25] * 4


async def test_unused_turns_are_lost() -> None:
    time = Time()
    limit = RateLimit(4, time, time.sleep)
    await limit.turn()
    time.now += 10

    for _ in range(3):
        await limit.turn()

    assert time.naps == [0.25, 0.25]


async def test_without_a_rate_there_is_no_wait() -> None:
    time = Time()
    limit = RateLimit(None, time, time.sleep)

    for _ in range(5):
        await limit.turn()

    assert time.naps == []


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_an_invalid_rate_is_refused(rate: float) -> None:
    with pytest.raises(InvalidInput, match="more than 0"):
        RateLimit(rate)
