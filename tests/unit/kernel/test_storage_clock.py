"""The storage's time is read now and then, and continued by the monotonic clock in between."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import define
from orderflow.application.clock import StorageClock
from orderflow.domain.errors import StorageUnavailable

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@define
class Times:
    """The storage's time, and the monotonic seconds of this machine."""

    at: datetime = NOON
    seconds: float = 1000.0
    reads: int = 0
    down: bool = False

    async def read(self) -> datetime:
        if self.down:
            raise StorageUnavailable("postgresql", "it is down")
        self.reads += 1
        return self.at

    def clock(self) -> StorageClock:
        return StorageClock(self.read, refresh=10.0, steady=lambda: self.seconds)


async def test_it_is_continued_between_two_readings() -> None:
    times = Times()
    clock = times.clock()
    first = await clock()
    times.seconds += 9

    assert (first, await clock()) == (NOON, NOON + timedelta(seconds=9))
    assert times.reads == 1


async def test_it_follows_the_storage_at_the_next_reading() -> None:
    times = Times()
    clock = times.clock()
    await clock()
    times.seconds, times.at = times.seconds + 10, NOON + timedelta(hours=1)

    assert await clock() == NOON + timedelta(hours=1)


async def test_it_goes_on_while_the_storage_is_down_and_asks_again_only_now_and_then() -> None:
    times = Times()
    clock = times.clock()
    await clock()
    times.down, times.seconds = True, times.seconds + 11

    during = await clock()
    times.down, times.seconds = False, times.seconds + 1

    assert (during, await clock()) == (NOON + timedelta(seconds=11), NOON + timedelta(seconds=12))
    assert times.reads == 1


async def test_without_any_reading_there_is_no_time() -> None:
    clock = Times(down=True).clock()

    with pytest.raises(StorageUnavailable):
        await clock()
