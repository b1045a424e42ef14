"""``orderflow simulate`` and ``orderflow demo``: a simulated day of food delivery."""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from attrs import evolve, frozen
from cyclopts import App, Parameter

from ...domain.errors import InvalidInput, OrderExists
from ...domain.text import printable
from ..settings import CONSUMERS, Settings
from ..simulation.clock import DEFAULT_DATE, VirtualClock
from ..simulation.day import Day
from ..simulation.day_files import read_day, write_day
from ..simulation.dispatch_plan import plan_day
from ..simulation.figures import DayFigures, day_figures
from ..simulation.generate_day import generate_day
from ..simulation.http_driver import HttpOrderClient
from ..simulation.run_day import (
    WORKERS,
    DayResult,
    InProcessOrderClient,
    OrderClient,
    RateLimit,
    RunDay,
    ScaledPace,
    VirtualPace,
)
from .check import check_table
from .lag import caught_up, refuse_negative
from .session import build_container, rows, session

if TYPE_CHECKING:
    from ..container import Container

app = App(name="simulate", help="Simulate a day of food delivery.")

DEMO_ORDERS = 300
DEMO_SEED = 7


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


@app.command
async def run(
    folder: Path,
    /,
    *,
    speed: str = "max",
    workers: int = WORKERS,
    url: str | None = None,
    token: str | None = None,
    prefix: str | None = None,
    on: Annotated[str, Parameter(help="the date of the simulated day")] = DEFAULT_DATE.isoformat(),
    consumers: Annotated[
        bool | None, Parameter(help="run the consumers in this process (default: only without Kafka)")
    ] = None,
    wait: Annotated[float, Parameter(help="seconds for the relay and the consumers to catch up at the end")] = 60.0,
) -> int:
    """Run the day in FOLDER (orders.txt, couriers.txt, restaurants.txt, instance_parameters.txt).

    --speed N runs N seconds of the day per second; max uses a virtual clock and never waits, so that an order of the
    same day always has the same events. --workers N processes N orders concurrently; with 1, the whole log is always
    the same. --url uses the HTTP API of a running service.
    """
    day = read_day(folder)
    pace = _speed(speed)
    _check_workers(workers)
    refuse_negative(wait)
    try:
        midnight = date.fromisoformat(on)
    except ValueError:
        raise InvalidInput("on", repr(on), "a date, such as 2024-01-01") from None
    if url is not None:
        report = await _over_http(day, url, token, pace, workers, prefix)
    else:
        report = await _in_process(session().settings, day, pace, midnight, workers, prefix, consumers, wait)
    _show(report)
    return 1 if report.figures.unfinished or any((report.waiting or {}).values()) else 0


@app.command
def generate(folder: Path, /, *, orders: int = 500, seed: int = 1) -> None:
    """Generate a day and write it to FOLDER, for `simulate run`. The same seed generates the same day."""
    day = generate_day(orders, seed)
    try:
        write_day(day, folder)
    except OSError as e:
        raise InvalidInput(
            str(folder), f"cannot be written: {e.strerror}", "an existing folder, or one that can be created"
        ) from e
    session().show(
        {"folder": str(folder), "orders": len(day.orders), "couriers": len(day.couriers)},
        f"{folder}: {len(day.orders)} orders, {len(day.couriers)} couriers, {len(day.restaurants)} restaurants",
    )


async def demo(*, orders: int = DEMO_ORDERS, seed: int = DEMO_SEED, workers: int = WORKERS) -> int:
    """Run a generated day on a temporary SQLite database with all three consumers, then check every order.

    --workers N processes N orders concurrently.
    """
    _check_workers(workers)
    with tempfile.TemporaryDirectory(prefix="orderflow-demo-") as folder:
        settings = evolve(
            session().settings,
            database_url=f"sqlite:///{folder}/orderflow.db",
            kafka_bootstrap_servers="",
            publishing="log",
            notification_channels=("log",),
        )
        day = generate_day(orders, seed)
        session().info(
            f"a day of {len(day.orders)} orders and {len(day.couriers)} couriers, on {settings.database_url}"
        )
        with _quiet():
            report = await _in_process(settings, day, None, DEFAULT_DATE, workers, None, True, 60.0)
        async with _container(settings) as container:
            checked = await container.check()()
    if session().json:
        session().show({"day": report, "check": checked, "clean": checked.clean})
    else:
        _show(report)
        session().show(None, check_table(checked))
    session().info("the check is clean" if checked.clean else f"the check found {checked.found} differences")
    return 0 if checked.clean and not report.figures.unfinished else 1


def _check_workers(workers: int) -> None:
    if workers < 1:
        raise InvalidInput("workers", str(workers), "1 or more")


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the log lines of the notifications, which would bury the progress bar and the tables."""
    logger = logging.getLogger("orderflow")
    level = logger.level
    logger.setLevel(max(logging.WARNING, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        logger.setLevel(level)


def _speed(speed: str) -> float | None:
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


async def _in_process(
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
    async with _container(settings, clock) as container:
        await _refuse_second_run(container, day, prefix)
        before = sum((await container.storage().log.heads()).values())
        async with _consuming(container) if with_consumers else nullcontext():
            pace: RateLimit = _scaled(day, speed) if clock is None else VirtualPace(clock, midnight)
            result, seconds = await _run(day, InProcessOrderClient(container.use_cases()), pace, workers, prefix)
            waiting = {each.reader: each.events for each in await caught_up(container, wait) if not each.paused}
        events = sum((await container.storage().log.heads()).values()) - before
    return _report(day, result, seconds, events, waiting)


@asynccontextmanager
async def _consuming(container: "Container") -> AsyncIterator[None]:
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


async def _over_http(
    day: Day, url: str, token: str | None, speed: float | None, workers: int, prefix: str | None
) -> SimulationReport:
    client = HttpOrderClient(url, token=token, connections=workers)
    try:
        pace: RateLimit = VirtualPace(VirtualClock()) if speed is None else _scaled(day, speed)
        result, seconds = await _run(day, client, pace, workers, prefix)
    finally:
        await client.close()
    return _report(day, result, seconds, None, None)


async def _run(
    day: Day, client: OrderClient, pace: RateLimit, workers: int, prefix: str | None
) -> tuple[DayResult, float]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=session().error_console) as progress:
        steps = progress.add_task(printable(f"simulating {day.name}"), total=None)
        run_day = RunDay(
            client, pace, workers, prefix, progress=lambda done, of: progress.update(steps, completed=done, total=of)
        )
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
    first = f"{f'{day.name}-' if prefix is None else prefix}{day.orders[0].id}"
    if await container.storage().audit.many([first]):
        raise OrderExists(first, ("this day has been run on this database before; use another --prefix",))


@asynccontextmanager
async def _container(settings: Settings, clock: VirtualClock | None = None) -> AsyncIterator["Container"]:
    container = build_container(settings, clock=clock)

    from ..wiring.lifespan import opened

    async with opened(container):
        yield container


def _report(
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


def _show(report: SimulationReport) -> None:
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
