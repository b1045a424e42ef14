"""``orderflow events replay``, ``orderflow rebuild`` and ``orderflow orders verify``."""

from collections.abc import Sequence
from time import monotonic
from typing import Annotated, Any, Literal

from attrs import define, field
from cyclopts import App, Parameter

from ...application.replay.rebuilding import RebuildResult
from ...application.replay.replay_range import ReplayResult, ReplayStart, StoppedOrder
from ...domain.errors import InvalidInput
from ..settings import CONSUMERS
from .session import rows, session

rebuild = App(name="rebuild", help="Rebuild a consumer's data from the log.")
OPERATOR = "operator"
PROGRESS_SECONDS = 1.0

Start = Annotated[
    str, Parameter(name="--from", help="POSITION in all buckets, BUCKET:POSITION, a time (RFC 3339), or order:ID")
]


async def replay(
    *,
    consumer: str,
    from_: Start,
    source: Source = "log",
    dry_run: Annotated[bool, Parameter(negative=(), help="only show what would be done")] = False,
    by: str | None = None,
    reason: str | None = None,
) -> int:
    """Replay past events to CONSUMER, from there up to its cursors; it continues meanwhile.

    Existing effects stay unchanged, missing ones are restored. --by NAME and --reason TEXT are recorded. Exits with 1
    if an order stopped at an event that failed, or the source does not have all events.
    """
    if consumer not in CONSUMERS:
        allowed = f"{', '.join(CONSUMERS)}; an application replays its own handlers with OrderFlow.replay()"
        raise InvalidInput("consumer", f"{consumer!r} is no built-in consumer", allowed)
    start = ReplayStart.parse(from_)
    async with session().opened() as container:
        replay = container.replay_events(consumer=container.consumers()[consumer])
        if dry_run:
            done: ReplayResult = await replay.dry_run(start, source=source)
        else:
            note = {"by": _required("by", by), "reason": _required("reason", reason)}
            done = await replay(start, source=source, progress=Progress("events"), **note)
    session().show(done, _table(done))
    _print_notes(done)
    return 0 if done.whole else 1


@rebuild.command
async def analytics(*, by: str = OPERATOR, reason: str = "from the command line") -> int:
    """Rebuild the data of analytics from the log, and swap it in; consumer and queries continue meanwhile.

    Exits with 1 if an order would lose events: then nothing is changed. --by NAME and --reason TEXT are recorded.
    """
    async with session().opened() as container:
        done: RebuildResult = await container.rebuild_analytics()(by=by, reason=reason, progress=Progress("events"))
    figures = done.swapped
    shown = (done.events, *((figures.orders, figures.changed, figures.removed) if figures else (None,) * 3))
    columns = ("events", "orders", "changed or new", "removed", "orders stopped")
    session().show(done, rows(*columns, of=[(*shown, len(done.stopped))]))
    _print_stopped(done.stopped)
    session().say("swapped in" if figures else "nothing is swapped in; the data is unchanged")
    return 0 if figures else 1


async def order(order_id: str, /, *, source: Source = "log") -> int:
    """Compare the order's row with its events, and show every difference; nothing is changed.

    Exits with 1 if they differ. Facts that are in no event (address, card, estimate) are not compared.
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
        session().say(f"the {source} has events of the order, but there is no row")
    if found.problem:
        session().say(f"the {source} cannot be followed: {found.problem}")
    session().say("equal" if found.equal else "not equal")
    return 0 if found.equal else 1


@define
class Progress:
    """Prints the progress every second."""

    unit: str
    _printed_at: float = field(factory=monotonic, init=False)

    def __call__(self, done: int, of: int) -> None:
        if monotonic() - self._printed_at >= PROGRESS_SECONDS:
            self._printed_at = monotonic()
            session().say(f"{done:,} of {of:,} {self.unit}")


def _required(name: str, value: str | None) -> str:
    if value is None:
        raise InvalidInput(name, "it is missing", "--by NAME and --reason TEXT, or --dry-run")
    return value


def _table(done: ReplayResult) -> Any:
    figures = (done.events, done.orders, done.handled, done.parked, done.dropped, len(done.stopped), len(done.missing))
    columns = ("events", "orders", "handled", "parked", "dropped", "orders stopped", "buckets with a gap")
    return rows("consumer", "source", *columns, of=[(done.consumer, done.source, *figures)])


def _print_notes(done: ReplayResult) -> None:
    _print_stopped(done.stopped)
    for gap in done.missing:
        session().info(f"bucket {gap.bucket}: the {done.source} has no event at position {gap.position}")
    if done.parked:
        session().info(
            f"{done.parked} events are parked: `orderflow dead-letters redrive {done.consumer}` handles them"
        )
    if done.dry_run:
        session().say("nothing is changed")
    elif not done.events:
        session().say(f"{done.consumer} has not passed any event from there on; it will handle them by itself")


def _print_stopped(stopped: Sequence[StoppedOrder]) -> None:
    for stop in stopped:
        session().info(f"order {stop.order_id} stopped at event {stop.sequence}: {stop.error}: {stop.message}")
