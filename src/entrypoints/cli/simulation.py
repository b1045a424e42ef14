"""``orderflow simulate``: a simulated day of food delivery."""

from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ...domain.errors import InvalidInput
from ...domain.text import counted
from ..simulation.clock import DEFAULT_DATE
from ..simulation.day_files import read_day, write_day
from ..simulation.generate_day import generate_day
from ..simulation.run_day import WORKERS
from .day_run import check_workers, in_process, over_http, parse_speed, show_report
from .lag import refuse_negative
from .session import session

app = App(name="simulate", help="Simulate a day of food delivery.")


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
    pace = parse_speed(speed)
    check_workers(workers)
    refuse_negative(wait)
    try:
        midnight = date.fromisoformat(on)
    except ValueError:
        raise InvalidInput("on", repr(on), "a date, such as 2024-01-01") from None
    if url is not None:
        report = await over_http(day, url, token, pace, workers, prefix)
    else:
        report = await in_process(session().settings, day, pace, midnight, workers, prefix, consumers, wait)
    show_report(report)
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
        f"{folder}: {counted(len(day.orders), 'order')}, {counted(len(day.couriers), 'courier')}, "
        f"{counted(len(day.restaurants), 'restaurant')}",
    )
