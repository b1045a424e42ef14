"""``orderflow events replay``, ``orderflow rebuild`` and ``orderflow maintenance``: what is done again by hand."""

from collections.abc import Sequence
from time import monotonic
from typing import Annotated, Any, Literal

from attrs import define, field, fields
from cyclopts import App, Parameter

from ...application.check.compare_order import OrderComparison
from ...application.replay.rebuilding import RebuildResult
from ...application.replay.replay_range import ReplayResult, ReplayStart, StoppedOrder
from ...domain.errors import InvalidInput
from ...domain.history import OrderFacts
from ..container import CONSUMERS
from .session import plain, rows, session

rebuild = App(name="rebuild", help="Make anew, from the log, what a consumer keeps.")
OPERATOR = "operator"
PROGRESS_SECONDS = 1.0

Start = Annotated[
    str, Parameter(name="--from", help="POSITION in all buckets, BUCKET:POSITION, a time (RFC 3339), or order:ID")
]

Source = Annotated[Literal["log", "topic"], Parameter(help="where the events are read")]


async def replay(
    *,
    consumer: str,
    from_: Start,
    source: Source = "log",
    dry_run: Annotated[bool, Parameter(negative=(), help="only say how much there is to do")] = False,
    by: str | None = None,
    reason: str | None = None,
) -> int:
    """Have CONSUMER handle again what it has behind it, from there up to where it stands; it goes on meanwhile.

    What an event has brought about already stays as it is, what is missing is made up for. --by NAME and --reason TEXT
    are noted. Exit 1 when an order stopped at an event that fails, or the source lacks events.
    """
    if consumer not in CONSUMERS:
        allowed = f"{', '.join(CONSUMERS)}; an application replays its own handlers with OrderFlow.replay()"
        raise InvalidInput("consumer", f"{consumer!r} is none that ships", allowed)
    start = ReplayStart.parse(from_)
    async with session().opened() as container:
        replay = container.replay_events(consumer=container.consumers()[consumer])
        if dry_run:
            done: ReplayResult = await replay.dry_run(start, source=source)
        else:
            said = {"by": _given("by", by), "reason": _given("why", reason)}
            done = await replay(start, source=source, progress=Progress("events"), **said)
    session().show(done, _table(done))
    _say(done)
    return 0 if done.whole else 1


@rebuild.command
async def analytics(*, by: str = OPERATOR, reason: str = "asked for on the command line") -> int:
    """Make what analytics knows anew from the log, beside what is there, and swap it in; both go on meanwhile.

    Exit 1 when an order cannot be brought as far as it is now: then all is left as it was. --by NAME and --reason TEXT
    are noted.
    """
    async with session().opened() as container:
        done: RebuildResult = await container.rebuild_analytics()(by=by, reason=reason, progress=Progress("events"))
    figures = done.swapped
    shown = (done.events, *((figures.courses, figures.changed, figures.removed) if figures else (None,) * 3))
    columns = ("events", "orders", "changed or new", "removed", "orders stopped")
    session().show(done, rows(*columns, of=[(*shown, len(done.stopped))]))
    _say_stopped(done.stopped)
    session().say("swapped in" if figures else "nothing is swapped in; what was there is as it was")
    return 0 if figures else 1


async def order(order_id: str, /, *, source: Source = "log") -> int:
    """The order as its events tell it, beside the order as it is kept, and every difference; nothing is changed.

    Exit 1 when they differ. What no event tells (address, card, estimate) is in neither.
    """
    async with session().opened() as container:
        found: OrderComparison = await container.compare_order()(order_id, source=source)
    differs = {each.fact for each in found.differences}
    facts = [a.name for a in fields(OrderFacts)]
    lines = (
        (name, getattr(found.row, name, None), getattr(found.fold, name, None), "differs" if name in differs else "")
        for name in facts
    )
    data = {"equal": found.equal, "differences": found.differences, **plain(found)}
    session().show(data, rows("fact", "row", f"fold of the {source}", "", of=lines))
    if found.row is None:
        session().say(f"the {source} tells of the order, but there is no row")
    if found.problem:
        session().say(f"the {source} cannot be followed: {found.problem}")
    session().say("equal" if found.equal else "not equal")
    return 0 if found.equal else 1


async def maintenance(*, limit: int = 50) -> None:
    """What was replayed and rebuilt by hand, by whom, when and why, the latest first."""
    async with session().opened() as container:
        found = await container.repair_history()(limit=limit)
    shown = ((it.note.at, it.note.by, it.kind, it.consumer, it.what, it.note.reason) for it in found)
    session().show(found, rows("time", "by", "what", "consumer", "of what", "reason", of=shown))


@define
class Progress:
    """A line of talk every second."""

    unit: str
    _said_at: float = field(factory=monotonic, init=False)

    def __call__(self, done: int, of: int) -> None:
        if monotonic() - self._said_at >= PROGRESS_SECONDS:
            self._said_at = monotonic()
            session().say(f"{done:,} of {of:,} {self.unit}")


def _given(name: str, word: str | None) -> str:
    if word is None:
        raise InvalidInput(name, "it is missing", "--by NAME and --reason TEXT, or --dry-run")
    return word


def _table(done: ReplayResult) -> Any:
    figures = (done.events, done.orders, done.handled, done.parked, done.dropped, len(done.stopped), len(done.missing))
    columns = ("events", "orders", "handled", "parked", "dropped", "orders stopped", "buckets with a gap")
    return rows("consumer", "source", *columns, of=[(done.consumer, done.source, *figures)])


def _say(done: ReplayResult) -> None:
    _say_stopped(done.stopped)
    for gap in done.missing:
        session().say(f"bucket {gap.bucket}: the {done.source} has no event at position {gap.position}")
    if done.parked:
        session().say(f"{done.parked} events are parked: `orderflow dead-letters redrive {done.consumer}` handles them")
    if done.dry_run:
        session().say("nothing was done")
    elif not done.events:
        session().say(f"{done.consumer} has nothing behind it from there on; what is to come, it comes to by itself")


def _say_stopped(stopped: Sequence[StoppedOrder]) -> None:
    for stop in stopped:
        session().say(f"order {stop.order_id} stopped at event {stop.sequence}: {stop.error}: {stop.message}")
