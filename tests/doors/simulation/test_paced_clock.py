"""The time of a day that people watch: its speed can be changed, it can be paused, and no event is another for that."""

import asyncio
from collections.abc import Mapping

import pytest
from attrs import define
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.simulation.clock import DEFAULT_DATE, time_at
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.paced_clock import FASTEST, TOGETHER, PacedClock
from orderflow.entrypoints.simulation.run_day import InProcessOrderClient, RunDay
from orderflow.entrypoints.simulation.watched_day import PacedOrderClient
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.simulated import bodies_after_a_day

DAY = generate_day(40, 3)


@define
class Watch:
    """A monotonic clock that is set by hand."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


async def turns(number: int = 20) -> None:
    """Let all that is due run."""
    for _ in range(number):
        await asyncio.sleep(0)


def test_the_day_goes_on_at_its_speed_and_from_where_it_is_when_that_changes() -> None:
    async def change() -> list[float]:
        watch = Watch()
        clock = PacedClock(36_000, speed=600, monotonic=watch)
        watch.seconds = 2
        seen = [clock.second]
        clock.change(speed=60, paused=False)
        watch.seconds = 3
        seen.append(clock.second)
        clock.change(speed=60, paused=True)
        watch.seconds = 99
        seen.append(clock.second)
        clock.change(speed=60, paused=False)
        watch.seconds = 100
        return [*seen, clock.second]

    assert asyncio.run(change()) == [37_200, 37_260, 37_260, 37_320]


async def test_nothing_begins_while_the_day_is_paused() -> None:
    clock = PacedClock(0, speed=None)
    clock.change(speed=None, paused=True)
    waiting = asyncio.create_task(clock.until(60))
    await turns()
    assert not waiting.done()

    clock.change(speed=None, paused=False)

    await waiting
    assert clock.second == 60


async def test_a_step_has_its_own_time_and_everything_else_that_of_the_day() -> None:
    clock = PacedClock(0, speed=None)
    times = []

    async def step(second: int) -> None:
        await clock.until(second)
        await turns()
        times.append(clock())

    await asyncio.gather(step(30), step(90))

    assert times == [time_at(DEFAULT_DATE, 30), time_at(DEFAULT_DATE, 90)]
    assert clock() == time_at(DEFAULT_DATE, 90)


async def test_the_day_waits_for_a_service_that_does_not_keep_up() -> None:
    watch = Watch()
    clock = PacedClock(0, speed=600, monotonic=watch)
    steps = [asyncio.create_task(clock.until(0)) for _ in range(TOGETHER + 1)]
    await turns()

    watch.seconds = 10

    assert [step.done() for step in steps].count(False) == 1
    assert clock.second == 0
    clock.step_done()
    await asyncio.gather(*steps)
    watch.seconds = 11
    assert clock.second == 600


async def _bodies(clock: PacedClock) -> Mapping[str, list[bytes]]:
    container = container_for(Settings(database_url="memory://"), clock=clock, simulated=True)
    async with opened(container):
        client = PacedOrderClient(InProcessOrderClient(container.use_cases()), clock)

        def progress(done: int, _: int) -> None:
            if done == 50:  # in the middle of the day, as a person might
                clock.change(speed=None, paused=True)
                asyncio.get_running_loop().call_soon(lambda: clock.change(speed=FASTEST, paused=False))

        await RunDay(client, clock, 8, progress=progress)(DAY)
        log = container.storage().log
        records = await log.read(dict.fromkeys(await log.heads(), 0), limit=100_000)
    bodies: dict[str, list[bytes]] = {}
    for record in sorted(records, key=lambda each: each.sequence):
        bodies.setdefault(record.order_id, []).append(record.body)
    return bodies


async def test_a_day_that_is_paused_and_goes_on_at_another_speed_has_the_same_events_byte_for_byte() -> None:
    alone = await bodies_after_a_day("memory://", DAY, workers=1)

    watched = await _bodies(PacedClock(0, speed=None))

    assert watched == alone


@pytest.mark.parametrize("speed", [0, -1, FASTEST + 1, float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(InvalidInput, match="above 0"):
        PacedClock(speed=speed)
