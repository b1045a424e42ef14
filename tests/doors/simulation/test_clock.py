"""A clock that each task sets for itself."""

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.simulation.clock import VirtualClock, time_at

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)


def test_a_time_is_given_in_seconds_after_midnight_utc():
    at = time_at(date(2024, 5, 6), 12 * 3600 + 61)

    assert at == datetime(2024, 5, 6, 12, 1, 1, tzinfo=UTC)
    assert at.utcoffset() == timedelta(0)


def test_a_time_past_midnight_is_on_the_next_date():
    at = time_at(date(2024, 12, 31), 24 * 3600 + 5)

    assert at == datetime(2025, 1, 1, 0, 0, 5, tzinfo=UTC)


def test_a_clock_starts_at_midnight_of_the_first_of_january():
    clock = VirtualClock()

    assert clock() == datetime(2024, 1, 1, tzinfo=UTC)


def test_a_clock_keeps_the_time_it_was_set_to():
    clock = VirtualClock()

    clock.set(NOON)

    assert clock() == clock() == NOON


def test_a_clock_returns_utc_for_a_time_in_another_zone():
    clock = VirtualClock()

    clock.set(NOON.astimezone(timezone(timedelta(hours=7))))

    assert clock().isoformat() == "2024-05-06T12:00:00+00:00"


def test_a_time_without_a_zone_is_refused():
    clock = VirtualClock()
    clock.set(NOON)

    with pytest.raises(InvalidInput, match="aware datetime"):
        clock.set(datetime(2024, 5, 6))  # noqa: DTZ001
    assert clock() == NOON


async def test_each_task_has_its_own_time():
    clock = VirtualClock()
    clock.set(NOON)
    both_set = asyncio.Barrier(2)

    async def run(minutes: int) -> datetime:
        clock.set(NOON + timedelta(minutes=minutes))
        await both_set.wait()
        return clock()

    times = await asyncio.gather(run(1), run(2))

    assert times == [NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]
    assert clock() == NOON


async def test_a_task_starts_with_the_time_of_its_creator():
    clock = VirtualClock()
    clock.set(NOON)

    async def read() -> datetime:
        return clock()

    seen = await asyncio.create_task(read())

    assert seen == NOON


def test_two_clocks_are_independent():
    one, other = VirtualClock(), VirtualClock()

    one.set(NOON)

    assert other() == datetime(2024, 1, 1, tzinfo=UTC)
