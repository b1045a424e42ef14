"""``orderflow demo``: a generated day on a temporary database, on a terminal with a board to watch it."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

from attrs import evolve
from cyclopts import Parameter

from ...domain.errors import InvalidInput
from ...domain.text import counted
from ..settings import Settings
from ..simulation.clock import DEFAULT_DATE
from ..simulation.day import Day
from ..simulation.generate_day import generate_day
from ..simulation.paced_clock import checked_speed
from ..simulation.run_day import WORKERS
from .check import check_table
from .day_run import SimulationReport, check_workers, in_process, opened_container, parse_speed, show_report
from .session import session

if TYPE_CHECKING:
    from ...application.check import CheckReport

DEMO_ORDERS = 300
DEMO_SEED = 7
MOST_WATCHED = 5_000
"""Orders of a day that can be watched: its map is one document."""
_QUIET = ("", "orderflow", "orderflow.audit")
"""The loggers whose lines are suppressed: the root, and those whose level is set by name."""


async def demo(
    *,
    orders: int = DEMO_ORDERS,
    seed: int = DEMO_SEED,
    workers: int = WORKERS,
    board: Annotated[
        bool | None, Parameter(help="show the day on the board, until Ctrl-C (default: on a terminal)")
    ] = None,
    open: Annotated[bool, Parameter(negative=(), help="open the board in the browser")] = False,
    speed: Annotated[str, Parameter(help="seconds of the day per second, or max")] = "600",
    port: Annotated[int, Parameter(help="the board's port on this machine; 0 is any that is free")] = 0,
) -> int:
    """Run a generated day on a temporary SQLite database with all three consumers, then check every order.

    On a terminal the day can be watched on the board, whose address is printed first. At its end some orders are left,
    and the board stays until Ctrl-C. Elsewhere, and with --no-board, the day runs as fast as it can and the command
    ends. --workers N processes N orders concurrently.
    """
    check_workers(workers)
    pace = checked_speed(parse_speed(speed))
    if not 0 <= port <= 65535:
        raise InvalidInput("port", str(port), "0 to 65535")
    if open and board is False:
        raise InvalidInput("--open", "there is no board to open with --no-board", "one of the two")
    is_watched = _is_watched(orders, True if open and board is None else board)
    day = generate_day(orders, seed)
    with tempfile.TemporaryDirectory(prefix="orderflow-demo-") as folder, quiet():
        settings = evolve(
            session().settings,
            database_url=f"sqlite:///{folder}/orderflow.db",
            kafka_bootstrap_servers="",
            publishing="log",
            notification_channels=("log",),
        )
        if is_watched:
            from .watched_demo import watched_demo

            return await watched_demo(settings, day, speed=pace, workers=workers, port=port, open_browser=open)
        return await _demo(settings, day, workers)


async def _demo(settings: Settings, day: Day, workers: int) -> int:
    say_what_runs(day, settings)
    report = await in_process(settings, day, None, DEFAULT_DATE, workers, None, True, 60.0)
    async with opened_container(settings) as container:
        checked = await container.check()()
    show_results(report, checked)
    return 0 if checked.clean and not report.figures.unfinished else 1


def say_what_runs(day: Day, settings: Settings) -> None:
    """Print what the day is, and where it is kept."""
    orders, couriers = counted(len(day.orders), "order"), counted(len(day.couriers), "courier")
    session().info(f"a day of {orders} and {couriers}, on {settings.database_url}")


def show_results(report: SimulationReport, checked: "CheckReport") -> None:
    """Print the figures of the day and the result of the check."""
    if session().json:
        session().show({"day": report, "check": checked, "clean": checked.clean})
    else:
        show_report(report)
        session().show(None, check_table(checked))
    session().info("the check is clean" if checked.clean else f"the check found {counted(checked.found, 'difference')}")


def _is_watched(orders: int, requested: bool | None) -> bool:
    """Return whether the day is watched: if it is ``requested``, by default on a terminal, with the extra ``http``.

    Raises:
        InvalidInput: if it is requested and has too many orders for a map.
    """
    if requested is False:
        return False
    if requested is None:
        on_terminal = sys.stdout.isatty() and sys.stderr.isatty() and not os.environ.get("CI")
        return on_terminal and not session().json and orders <= MOST_WATCHED and find_spec("litestar") is not None
    if orders > MOST_WATCHED:
        raise InvalidInput("orders", f"{orders} with the board", f"at most {MOST_WATCHED:,}, or --no-board")
    return True


@contextmanager
def quiet(level: int = logging.WARNING) -> Iterator[None]:
    """Suppress log lines below ``level``: migrations, notifications and audit lines would bury the result."""
    loggers = {name: logging.getLogger(name) for name in _QUIET}
    levels = {name: logger.level for name, logger in loggers.items()}
    for logger in loggers.values():
        logger.setLevel(max(level, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])
