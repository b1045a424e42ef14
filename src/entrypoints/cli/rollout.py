"""``orderflow rollout``: how much of the orders is published, and which consumers run."""

from typing import TYPE_CHECKING

from cyclopts import App
from rich.table import Table

from ...application.health.rollout_status import RolloutProgress
from ...application.operator_note import OperatorNote
from ...application.rollout.rollout import ChangeKind, RolloutChange
from ...domain.errors import InvalidInput
from .session import rows, session

if TYPE_CHECKING:
    from ..container import Container

app = App(
    name="rollout",
    help="Which share of the orders is published, and which consumers stand still. Every change is noted for good.",
)


@app.command(name="set")
async def set_(percent: str, /, *, by: str, reason: str) -> None:
    """Publish the events of PERCENT of the orders, a whole number from 0 to 100; relays follow within a second.

    What is held back is published, in order, when the share is raised. --by NAME and --reason TEXT are noted.
    """
    asked = _whole(percent)
    async with session().opened() as container:
        change = await container.set_publishing_share()(asked, by=by, reason=reason)
        await _answer(container, change, f"{asked} % were published already; nothing is changed or noted")


@app.command
async def pause(consumer: str, /, *, by: str, reason: str) -> None:
    """Let CONSUMER stand still within a second; its place is kept. --by NAME and --reason TEXT are noted."""
    async with session().opened() as container:
        change = await container.pause_consumer()(consumer, by=by, reason=reason)
        await _answer(container, change, f"{consumer} was paused already; nothing is changed or noted")


@app.command
async def resume(consumer: str, /, *, by: str, reason: str) -> None:
    """Let CONSUMER go on within a second where it stood. --by NAME and --reason TEXT are noted."""
    async with session().opened() as container:
        change = await container.resume_consumer()(consumer, by=by, reason=reason)
        await _answer(container, change, f"{consumer} was not paused; nothing is changed or noted")


@app.command
async def status() -> None:
    """What is published, what is held back, which consumers are paused, by whom and why."""
    async with session().opened() as container:
        state = await container.rollout_status()()
        session().show(state, _table(state))
        _say_what_is_not_there(container)


@app.command
async def history(*, limit: int = 50) -> None:
    """Every change, who made it, when and why, the latest first."""
    async with session().opened() as container:
        changes = await container.rollout_history()(limit=limit)
    shown = ((change.note.at, change.note.by, _said(change), change.note.reason) for change in changes)
    session().show(changes, rows("time", "by", "change", "reason", of=shown))


async def _answer(container: "Container", change: RolloutChange | None, otherwise: str) -> None:
    """The change that was made, and how the rollout stands now."""
    state = await container.rollout_status()()
    session().show({"change": change, "state": state}, _table(state))
    session().info(_said(change) if change is not None else otherwise)
    _say_what_is_not_there(container)


def _say_what_is_not_there(container: "Container") -> None:
    settings = container.settings()
    if not settings.uses_kafka:
        session().info("no Kafka is configured here: nothing is published, and consumers read the log itself")
    elif settings.publishing == "direct":
        session().info("publishing is direct: what the share holds back is not published later either")


def _table(state: RolloutProgress) -> Table:
    last = state.published_buckets - 1
    share = f"{state.percent} %" + (f", buckets 0 to {last} of {state.buckets}" if last >= 0 else "")
    publishing = ("publishing", share, state.waiting, state.held, *_word(state.set))
    consumers = (
        (each.consumer, "paused" if each.paused else "not paused", each.events, each.held, *_word(each.paused))
        for each in state.consumers
    )
    return rows("part", "state", "events to come", "held back", "since", "by", "reason", of=(publishing, *consumers))


def _word(note: OperatorNote | None) -> tuple[object, ...]:
    return (note.at, note.by, note.reason) if note else (None, None, None)


def _said(change: RolloutChange) -> str:
    if change.kind is ChangeKind.SHARE:
        return f"publishing {change.before} % -> {change.after} %"
    return f"{change.consumer} {'paused' if change.kind is ChangeKind.PAUSE else 'resumed'}"


def _whole(percent: str) -> int:
    text = percent.removesuffix("%").strip()
    if not (text.isascii() and text.isdigit() and int(text) <= 100):
        raise InvalidInput("PERCENT", f"it is {percent[:40]!r}", "a whole number from 0 to 100")
    return int(text)
