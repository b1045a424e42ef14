"""``orderflow replay``, ``simulate`` and ``demo``: a day of meal delivery, lived."""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from attrs import evolve, frozen
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ...application.day.clock import DAY_DATE, VirtualClock
from ...application.day.day import Day
from ...application.day.figures import DayFigures, day_figures
from ...application.day.live import LiveDay, LivedDay, OrderClient, RateLimit, ScaledPace, UseCaseDoor, VirtualPace
from ...application.day.plan import plan_day
from ...application.day.reading import read_day
from ...application.day.synthetic import synthesise
from ...application.day.writing import write_day
from ...domain.errors import InvalidInput, OrderExists
from ..container import CONSUMERS, container_for
from ..day_over_http import HttpDayDoor
from ..processes import run_parts
from ..settings import Settings
from ..wiring.lifespan import opened
from .check import check_table
from .lag import caught_up, refuse_negative
from .session import rows, session

DEMO_ORDERS = 300
DEMO_SEED = 7


@frozen(kw_only=True)
class DayReport:
    """``seconds`` of wall time, of living the day alone; ``events`` are those that the day added to the log."""

    day: str
    figures: DayFigures
    seconds: float
    orders_per_second: float
    steps_per_second: float
    ended_by_themselves: int
    events: int | None
    waiting: dict[str, int] | None


async def replay(
    folder: Path,
    /,
    *,
    speed: str = "max",
    workers: int = 1,
    url: str | None = None,
    token: str | None = None,
    prefix: str | None = None,
    on: Annotated[str, Parameter(help="the date that the day gets")] = DAY_DATE.isoformat(),
    consumers: Annotated[
        bool | None, Parameter(help="run the consumers here too (default: where there is no Kafka)")
    ] = None,
    wait: Annotated[float, Parameter(help="seconds that relay and consumers get to catch up at the end")] = 60.0,
) -> int:
    """Live the day in FOLDER (orders.txt, couriers.txt, restaurants.txt, instance_parameters.txt).

    --speed N lives N seconds of the day in one; max goes as fast as it can on a clock of its own, so that the same
    day twice makes the same events. --workers N lives many orders at once. --url goes through a running HTTP door.
    """
    day = read_day(folder)
    pace = _speed(speed)
    if workers < 1:
        raise InvalidInput("workers", str(workers), "1 or more")
    refuse_negative(wait)
    try:
        midnight = date.fromisoformat(on)
    except ValueError:
        raise InvalidInput("on", repr(on), "a date, such as 2024-01-01") from None
    if url is not None:
        report = await _over_http(day, url, token, pace, workers, prefix)
    else:
        report = await _here(session().settings, day, pace, midnight, workers, prefix, consumers, wait)
    _show(report)
    return 1 if report.figures.unfinished or any((report.waiting or {}).values()) else 0


def simulate(folder: Path, /, *, orders: int = 500, seed: int = 1) -> None:
    """Write a made-up day into FOLDER, in the format that `replay` reads; the same seed makes the same day."""
    if orders < 1:
        raise InvalidInput("orders", str(orders), "1 or more")
    day = synthesise(orders, seed)
    try:
        write_day(day, folder)
    except OSError as e:
        raise InvalidInput(
            str(folder), f"cannot be written: {e.strerror}", "a folder that is there, or can be made"
        ) from e
    session().show(
        {"folder": str(folder), "orders": len(day.orders), "couriers": len(day.couriers)},
        f"{folder}: {len(day.orders)} orders, {len(day.couriers)} couriers, {len(day.restaurants)} restaurants",
    )


async def demo(*, orders: int = DEMO_ORDERS, seed: int = DEMO_SEED) -> int:
    """Live a made-up day on a new SQLite database with all three consumers, then check every order."""
    with tempfile.TemporaryDirectory(prefix="orderflow-demo-") as folder:
        settings = evolve(
            session().settings,
            database_url=f"sqlite:///{folder}/orderflow.db",
            kafka_bootstrap_servers="",
            publishing="log",
            notification_channels=("log",),
        )
        day = synthesise(orders, seed)
        session().say(f"a day of {len(day.orders)} orders and {len(day.couriers)} couriers, on {settings.database_url}")
        with _quiet():
            report = await _here(settings, day, None, DAY_DATE, 1, None, True, 60.0)
        async with _container(settings) as container:
            checked = await container.check()()
    if session().json:
        session().show({"day": report, "check": checked, "clean": checked.clean})
    else:
        _show(report)
        session().show(None, check_table(checked))
    session().say("the check is clean" if checked.clean else f"the check found {checked.found} differences")
    return 0 if checked.clean and not report.figures.unfinished else 1


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the thousands of notifications that would hide what the progress bar and the tables tell."""
    logger = logging.getLogger("orderflow")
    level = logger.level
    logger.setLevel(max(logging.WARNING, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        logger.setLevel(level)


def _speed(speed: str) -> float | None:
    """Seconds of the day in one, or None for max."""
    if speed == "max":
        return None
    try:
        number = float(speed)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise InvalidInput("speed", repr(speed), "max, or a number above 0")
    return number


async def _here(
    settings: Settings,
    day: Day,
    speed: float | None,
    midnight: date,
    workers: int,
    prefix: str | None,
    consumers: bool | None,
    wait: float,
) -> DayReport:
    clock = VirtualClock() if speed is None else None
    with_consumers = not settings.uses_kafka if consumers is None else consumers
    async with _container(settings, clock) as container:
        await _refuse_a_second_time(container, day, prefix)
        before = sum((await container.storage().log.heads()).values())
        async with _consuming(container) if with_consumers else nullcontext():
            pace: RateLimit = _scaled(day, speed) if clock is None else VirtualPace(clock, midnight)
            lived, seconds = await _live(day, UseCaseDoor(container.use_cases()), pace, workers, prefix)
            waiting = {each.reader: each.events for each in await caught_up(container, wait) if not each.paused}
        events = sum((await container.storage().log.heads()).values()) - before
    return _report(day, lived, seconds, events, waiting)


@asynccontextmanager
async def _consuming(container: Any) -> AsyncIterator[None]:
    """All consumers run here meanwhile."""
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
) -> DayReport:
    door = HttpDayDoor(url, token=token, connections=workers)
    try:
        pace: RateLimit = VirtualPace(VirtualClock()) if speed is None else _scaled(day, speed)
        lived, seconds = await _live(day, door, pace, workers, prefix)
    finally:
        await door.close()
    return _report(day, lived, seconds, None, None)


async def _live(
    day: Day, door: OrderClient, pace: RateLimit, workers: int, prefix: str | None
) -> tuple[LivedDay, float]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=session().talk) as progress:
        steps = progress.add_task(f"living {day.name}", total=None)
        live = LiveDay(
            door, pace, workers, prefix, progress=lambda done, of: progress.update(steps, completed=done, total=of)
        )
        began = time.perf_counter()
        lived = await live(day, currency=session().settings.currency)
        return lived, time.perf_counter() - began


def _scaled(day: Day, speed: float | None) -> ScaledPace:
    first = plan_day(day)[0].at if day.orders else 0
    return ScaledPace(speed or 1.0, first, time.monotonic, time.monotonic())


async def _refuse_a_second_time(container: Any, day: Day, prefix: str | None) -> None:
    """A day's orders have ids of their own, so it can be lived once in one database."""
    if not day.orders:
        return
    first = f"{f'{day.name}-' if prefix is None else prefix}{day.orders[0].id}"
    if await container.storage().audit.many([first]):
        raise OrderExists(first, ("this day was lived here already; give another --prefix",))


@asynccontextmanager
async def _container(settings: Settings, clock: VirtualClock | None = None) -> AsyncIterator[Any]:
    container = container_for(settings, clock=clock)
    async with opened(container):
        yield container


def _report(day: Day, lived: LivedDay, seconds: float, events: int | None, waiting: dict[str, int] | None) -> DayReport:
    figures = day_figures(lived.outcomes.values(), target_minutes=day.parameters.target_click_to_door)
    return DayReport(
        day=day.name,
        figures=figures,
        seconds=seconds,
        orders_per_second=figures.orders / seconds if seconds else 0.0,
        steps_per_second=lived.steps / seconds if seconds else 0.0,
        ended_by_themselves=len(lived.overtaken),
        events=events,
        waiting=waiting,
    )


def _show(report: DayReport) -> None:
    f = report.figures
    within = None if f.within_target is None else f"{f.within_target:.0%} of {f.target_minutes:g} min"
    told: list[tuple[str, object]] = [
        ("orders", f.orders),
        ("delivered", f.delivered),
        *((f"cancelled: {reason}", count) for reason, count in f.cancelled.items()),
        ("unfinished", f.unfinished),
        ("click to door, median", None if f.median_minutes is None else f"{f.median_minutes:.1f} min"),
        ("click to door, 90th percentile", None if f.p90_minutes is None else f"{f.p90_minutes:.1f} min"),
        (
            "within the target",
            within,
        ),
        ("lived in", f"{report.seconds:.1f} s"),
        ("orders a second", report.orders_per_second),
        ("steps a second", report.steps_per_second),
    ]
    if report.events is not None and report.waiting is not None:
        told.append(("events in the log", report.events))
        told += [
            (f"{'published' if name == 'relay' else f'handled by {name}'}", f"all but {left}" if left else "all")
            for name, left in report.waiting.items()
        ]
    session().show(report, rows(report.day, "", of=told))
