"""``orderflow rollout``: the publishing share, and paused consumers."""

from typing import TYPE_CHECKING

from cyclopts import App

from ...application.health.rollout_status import RolloutProgress
from ...application.maintenance.maintenance_log import ROLLOUT, MaintenanceEntry
from ...application.operator_note import OperatorNote
from ...domain.errors import InvalidInput
from .maintenance import show_entries
from .session import rows, session

if TYPE_CHECKING:
    from rich.table import Table

    from ..container import Container

app = App(name="rollout")


@app.command(name="set")
async def set_(percent: str, /, *, by: str, reason: str) -> None:
    """Publish the events of PERCENT of the orders, a whole number from 0 to 100; relays follow within a second.

    Events that are held back are published, in order, when the share is raised. --by NAME and --reason TEXT are
    recorded.
    """
    share = _percentage(percent)
    async with session().opened() as container:
        change = await container.set_publishing_share()(share, by=by, reason=reason)
        await _show_change(container, change, f"{share} % were published already; nothing is changed or recorded")


@app.command
async def pause(consumer: str, /, *, by: str, reason: str) -> None:
    """Pause CONSUMER within a second; its cursors are kept. --by NAME and --reason TEXT are recorded."""
    async with session().opened() as container:
        change = await container.pause_consumer()(consumer, by=by, reason=reason)
        await _show_change(container, change, f"{consumer} was paused already; nothing is changed or recorded")


@app.command
async def resume(consumer: str, /, *, by: str, reason: str) -> None:
    """Resume CONSUMER within a second, at its cursors. --by NAME and --reason TEXT are recorded."""
    async with session().opened() as container:
        change = await container.pause_consumer().resume(consumer, by=by, reason=reason)
        await _show_change(container, change, f"{consumer} was not paused; nothing is changed or recorded")


@app.command
async def status() -> None:
    """Show what is published and held back, and which consumers are paused, by whom and why."""
    async with session().opened() as container:
        state = await container.rollout_status()()
        session().show(state, _table(state))
        _warn_of_settings(container)


@app.command
async def history(*, limit: int = 50) -> None:
    """Show every change of the rollout, who made it, when and why, the latest first."""
    await show_entries(ROLLOUT, limit)


async def _show_change(container: "Container", change: MaintenanceEntry | None, otherwise: str) -> None:
    """Print the change that was made, and the rollout after it."""
    state = await container.rollout_status()()
    session().show({"change": change, "state": state}, _table(state))
    session().info(otherwise if change is None else str(change))
    _warn_of_settings(container)


def _warn_of_settings(container: "Container") -> None:
    """Print a note if these settings leave the publishing share without effect, or make it final."""
    settings = container.settings()
    if not settings.uses_kafka:
        session().info("no Kafka is configured here: nothing is published, and consumers read the log itself")
    elif settings.publishing == "direct":
        session().info("publishing is direct: events that the share holds back are not published later either")


def _table(state: RolloutProgress) -> "Table":
    last = state.published_buckets - 1
    share = f"{state.percent} %" + (f", buckets 0 to {last} of {state.buckets}" if last >= 0 else "")
    publishing = ("publishing", share, state.waiting, state.held, *_cells(state.set))
    consumers = (
        (each.consumer, "paused" if each.paused else "not paused", each.events, each.held, *_cells(each.paused))
        for each in state.consumers
    )
    return rows("part", "state", "events to come", "held back", "since", "by", "reason", of=(publishing, *consumers))


def _cells(note: OperatorNote | None) -> tuple[object, ...]:
    return (note.at, note.by, note.reason) if note else (None, None, None)


def _percentage(percent: str) -> int:
    text = percent.removesuffix("%").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100):
        raise InvalidInput("PERCENT", f"it is {percent[:40]!r}", "a whole number from 0 to 100")
    return int(text)
