"""``orderflow status``: shows the whole installation on one screen."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ...application.health.observation import Observation
from ...application.health.status import Status, status_of
from ...domain.errors import InvalidInput
from .session import build_container, session

if TYPE_CHECKING:
    from ..container import Container

UNREACHED = 5
MIN_INTERVAL = 0.1
"""Seconds."""


async def status(
    *,
    watch: Annotated[bool, Parameter(negative=(), help="refresh the screen until interrupted")] = False,
    interval: Annotated[float, Parameter(help="seconds between the two observations that give the rates")] = 1.0,
) -> int:
    """Show the whole installation on one screen.

    It has the processes, database, Kafka, lag, rates, parked orders, rollout and the latest errors. Exits with 5 if a
    server does not answer, and shows the others all the same. Exits with 1 if the schema is not the newest.
    """
    if not 0 <= interval < float("inf") or (watch and interval < MIN_INTERVAL):
        raise InvalidInput("interval", str(interval), f"seconds, {MIN_INTERVAL:g} or more; 0 shows no rates")
    from .status_screen import screen

    async with unopened_container() as container:
        if watch:
            await _watch(container, interval)
            return 0
        now = await _observe(container, interval)
    session().show(now, screen(now))
    return exit_code(now)


def exit_code(status: Status) -> int:
    """Return the exit code for ``status``."""
    if status.unanswered.keys() - {"schema"}:
        return UNREACHED
    return 1 if status.unanswered else 0


@asynccontextmanager
async def unopened_container() -> AsyncIterator["Container"]:
    """Build the container of the session's settings. Nothing is opened, because a server may not answer."""
    container = build_container(session().settings)
    session().name_database()
    try:
        yield container
    finally:
        if (stream := container.stream_health()) is not None:
            await stream.close()
        await container.storage().close()


async def _observe(container: "Container", interval: float) -> Status:
    before: Observation | None = None
    if interval:
        before = await container.observe()()
        if before.unanswered:  # a second observation would only wait for the same timeouts
            return _status(before, None)
        await asyncio.sleep(interval)
    return _status(await container.observe()(), before)


async def _watch(container: "Container", interval: float) -> None:
    """Show the status every ``interval`` seconds until interrupted; without a terminal, each below the last."""
    from rich.console import Console
    from rich.live import Live

    from .status_screen import screen

    before: Observation | None = None
    to_terminal = sys.stdout.isatty() and not session().json
    with Live(console=Console(), screen=True, auto_refresh=False) if to_terminal else nullcontext() as live:
        while True:
            observation = await container.observe()()
            now = _status(observation, before)
            if live is not None:
                live.update(screen(now), refresh=True)
            else:
                session().show(now, screen(now))
                sys.stdout.flush()
            before = observation
            await asyncio.sleep(interval)


def _status(observation: Observation, before: Observation | None) -> Status:
    return status_of(observation, before, version=version("orderflow-service"))
