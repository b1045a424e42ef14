"""Running a simulated day for a command, and showing its figures."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from datetime import date
from typing import TYPE_CHECKING

from attrs import frozen

from ...domain.errors import InvalidInput, OrderExists
from ...domain.text import printable
from ..settings import CONSUMERS, Settings
from ..simulation.clock import VirtualClock
from ..simulation.day import Day
from ..simulation.dispatch_plan import plan_day
from ..simulation.figures import DayFigures, day_figures
from ..simulation.http_driver import HttpOrderClient
from ..simulation.run_day import (
    DayResult,
    InProcessOrderClient,
    OrderClient,
    Pace,
    RunDay,
    ScaledPace,
    VirtualPace,
)
from .lag import caught_up
from .session import build_container, rows, session

if TYPE_CHECKING:
    from ...application.notifications.ports import MessageTemplates
    from ..container import Container


@frozen(kw_only=True)
class SimulationReport:
    """The result of a run.

    ``seconds`` is the wall-clock time of the steps alone. ``events`` is the number of events that the run added to the
    log, ``waiting`` the number that the relay and each consumer have not processed; both are None over HTTP.
    """

    day: str
    figures: DayFigures
    seconds: float
    orders_per_second: float
    steps_per_second: float
    ended_early: int
    events: int | None
    waiting: dict[str, int] | None


def check_workers(workers: int) -> None:
    if workers < 1:
        raise InvalidInput("workers", str(workers), "1 or more")


def parse_speed(speed: str) -> float | None:
    """Parse the seconds of the day per second; None stands for max."""
    if speed == "max":
        return None
    try:
        number = float(speed)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise InvalidInput("speed", repr(speed), "max, or a number above 0")
    return number


async def in_process(
    settings: Settings,
    day: Day,
    speed: float | None,
    midnight: date,
    workers: int,
    prefix: str | None,
    consumers: bool | None,
    wait: float,
) -> SimulationReport:
    clock = VirtualClock() if speed is None else None
    with_consumers = not settings.uses_kafka if consumers is None else consumers
    if settings is session().settings:  # not the temporary one of the demo
        session().name_database(create=True)
    async with opened_container(settings, clock) as container:
        await _refuse_second_run(container, day, prefix)
        before = sum((await container.storage().log.heads()).values())
        async with consuming(container) if with_consumers else nullcontext():
            pace: Pace = _scaled(day, speed) if clock is None else VirtualPace(clock, midnight)
            result, seconds = await run_steps(day, InProcessOrderClient(container.use_cases()), pace, workers, prefix)
            waiting = {each.reader: each.events for each in await caught_up(container, wait) if not each.paused}
        events = sum((await container.storage().log.heads()).values()) - before
    return report_of(day, result, seconds, events, waiting)


@asynccontextmanager
async def consuming(container: "Container") -> AsyncIterator[None]:
    """Run all consumers in this process for the duration of the context."""
    from ..processes import run_parts

    stop = asyncio.Event()
    running = asyncio.create_task(run_parts(container, consumers=CONSUMERS, stop=stop))
    try:
        yield
    finally:
        stop.set()
        container.news().notify()
        await running


async def over_http(
    day: Day, url: str, token: str | None, speed: float | None, workers: int, prefix: str | None
) -> SimulationReport:
    client = HttpOrderClient(url, token=token, connections=workers)
    try:
        pace: Pace = VirtualPace(VirtualClock()) if speed is None else _scaled(day, speed)
        result, seconds = await run_steps(day, client, pace, workers, prefix)
    finally:
        await client.close()
    return report_of(day, result, seconds, None, None)


async def run_steps(
    day: Day,
    client: OrderClient,
    pace: Pace,
    workers: int,
    prefix: str | None,
    *,
    people: bool = False,
    noted: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[DayResult, float]:
    """Execute the steps of ``day`` with a progress bar. Returns the result, and the seconds that it took."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=session().error_console) as progress:
        steps = progress.add_task(printable(f"simulating {day.name}"), total=None)

        def show(done: int, of: int) -> None:
            progress.update(steps, completed=done, total=of)
            noted(done, of)

        run_day = RunDay(client, pace, workers, prefix, progress=show, people=people)
        began = time.perf_counter()
        result = await run_day(day, currency=session().settings.currency)
        return result, time.perf_counter() - began


def _scaled(day: Day, speed: float | None) -> ScaledPace:
    first = plan_day(day)[0].at if day.orders else 0
    return ScaledPace(speed or 1.0, first, time.monotonic, time.monotonic())


async def _refuse_second_run(container: "Container", day: Day, prefix: str | None) -> None:
    """Refuse a day whose orders exist already: their ids are fixed, so a database can hold one run per prefix."""
    if not day.orders:
        return
    first = day.order_id(day.orders[0], prefix)
    if await container.storage().audit.many([first]):
        raise OrderExists(first, ("this day has been run on this database before; use another --prefix",))


@asynccontextmanager
async def opened_container(
    settings: Settings, clock: VirtualClock | None = None, templates: "MessageTemplates | None" = None
) -> AsyncIterator["Container"]:
    """Open the container of ``settings``, with the time of a day and its templates."""
    container = build_container(settings, clock=clock, templates=templates)

    from ..wiring.lifespan import opened

    async with opened(container):
        yield container


def report_of(
    day: Day, result: DayResult, seconds: float, events: int | None, waiting: dict[str, int] | None
) -> SimulationReport:
    figures = day_figures(result.outcomes.values(), target_minutes=day.parameters.target_click_to_door)
    return SimulationReport(
        day=day.name,
        figures=figures,
        seconds=seconds,
        orders_per_second=figures.orders / seconds if seconds else 0.0,
        steps_per_second=result.steps / seconds if seconds else 0.0,
        ended_early=len(result.ended_early),
        events=events,
        waiting=waiting,
    )


def show_report(report: SimulationReport) -> None:
    f = report.figures
    within = None if f.within_target is None else f"{f.within_target:.0%} of {f.target_minutes:g} min"
    lines: list[tuple[str, object]] = [
        ("orders", f.orders),
        ("delivered", f.delivered),
        *((f"cancelled: {reason}", count) for reason, count in f.cancelled.items()),
        ("unfinished", f.unfinished),
        ("click to door, median", None if f.median_minutes is None else f"{f.median_minutes:.1f} min"),
        ("click to door, 90th percentile", None if f.p90_minutes is None else f"{f.p90_minutes:.1f} min"),
        ("within the target", within),
        ("duration", f"{report.seconds:.1f} s"),
        ("orders per second", report.orders_per_second),
        ("steps per second", report.steps_per_second),
    ]
    if report.events is not None and report.waiting is not None:
        lines.append(("events in the log", report.events))
        lines += [
            (f"{'published' if name == 'relay' else f'handled by {name}'}", f"all but {left}" if left else "all")
            for name, left in report.waiting.items()
        ]
    session().show(report, rows(report.day, "", of=lines))
