"""``orderflow status``: the whole installation on one screen."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.live import Live

from ...application.health.observation import Observation
from ...application.health.status import Status, status_of
from ...domain.errors import InvalidInput
from ..container import container_for
from .session import session
from .status_screen import screen

UNREACHED = 5
SHORTEST = 0.1
"""Seconds between two looks, at least."""


async def status(
    *,
    watch: Annotated[bool, Parameter(negative=(), help="look again and again, until interrupted")] = False,
    interval: Annotated[float, Parameter(help="seconds between the two looks that give the rates")] = 1.0,
) -> int:
    """Processes, database, Kafka, lag, rates, parked orders, rollout and the latest errors, on one screen.

    Exit 5 when something does not answer; what does is shown all the same. Exit 1 for another schema than ours.
    """
    if not 0 <= interval < float("inf") or (watch and interval < SHORTEST):
        raise InvalidInput("interval", str(interval), f"seconds, {SHORTEST:g} or more; 0 for one look, without rates")
    async with looking() as container:
        if watch:
            await _watch(container, interval)
            return 0
        now = await _twice(container, interval)
    session().show(now, screen(now))
    return exit_code(now)


def exit_code(status: Status) -> int:
    if status.unanswered.keys() - {"schema"}:
        return UNREACHED
    return 1 if status.unanswered else 0


@asynccontextmanager
async def looking() -> AsyncIterator[Any]:
    """The container of the session's settings; nothing is opened, for what there is to open may be away."""
    container = container_for(session().settings)
    try:
        yield container
    finally:
        if (stream := container.stream_health()) is not None:
            await stream.close()
        await container.storage().close()


async def _twice(container: Any, interval: float) -> Status:
    before: Observation | None = None
    if interval:
        before = await container.observe()()
        if before.unanswered:  # then a second look would only wait as long again
            return _status(before, None)
        await asyncio.sleep(interval)
    return _status(await container.observe()(), before)


async def _watch(container: Any, interval: float) -> None:
    """A new screen, or line of JSON, after each ``interval``, until interrupted."""
    before: Observation | None = None
    with Live(console=Console(), screen=sys.stdout.isatty(), auto_refresh=False) as live:
        while True:
            look = await container.observe()()
            now = _status(look, before)
            if session().json:
                session().show(now)
                sys.stdout.flush()
            else:
                live.update(screen(now), refresh=True)
            before = look
            await asyncio.sleep(interval)


def _status(look: Observation, before: Observation | None) -> Status:
    return status_of(look, before, version=version("orderflow-service"))
