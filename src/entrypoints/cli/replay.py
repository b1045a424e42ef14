"""``orderflow events replay`` and ``orderflow rebuild``."""

from collections.abc import Sequence
from time import monotonic
from typing import Annotated, Any, Literal

from attrs import define, field
from cyclopts import App, Parameter

from ...application.replay.rebuilding import RebuildResult
from ...application.replay.replay_range import MissingPosition, ReplayResult, ReplayStart, StoppedOrder
from ...domain.errors import InvalidInput
from ...domain.text import counted
from .session import rows, session, with_consumer

rebuild = App(name="rebuild")
Source = Annotated[Literal["log", "topic"], Parameter(help="where the events are read")]
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
    dry_run: Annotated[bool, Parameter(negative=(), help="only count the events")] = False,
    by: str | None = None,
    reason: str | None = None,
) -> int:
    """Have CONSUMER handle past events again, from START up to its cursors, while it continues with new ones.

    Effects that exist stay as they are; missing ones are added. --by NAME and --reason TEXT are recorded. Exits with 1
    if an order stopped at an event that fails, or if the source lacks events. A CONSUMER of your own is named as in
    ORDERFLOW_CONSUMERS, or by MODULE:FUNCTION; an application replays its handlers with OrderFlow.replay().
    """
    current, name = with_consumer(consumer)
    start = ReplayStart.parse(from_)
    async with current.opened() as container:
        replay = container.replay_events(consumer=container.consumers()[name])
        if dry_run:
            done: ReplayResult = await replay.dry_run(start, source=source)
        else:
            by, reason = _required("by", by), _required("reason", reason)
            done = await replay(start, source=source, progress=Progress("events"), by=by, reason=reason)
    session().show(done, _table(done))
    _print_outcome(done)
    return 0 if done.whole else 1


@rebuild.command
async def analytics(*, by: str = OPERATOR, reason: str = "requested on the command line") -> int:
    """Rebuild the analytics from the log in a shadow table, and swap it in.

    The consumer and its readers continue meanwhile. Exits with 1 if an order cannot be rebuilt up to its current
    event, or the log lacks events; then nothing is changed. --by NAME and --reason TEXT are recorded.
    """
    async with session().opened() as container:
        done: RebuildResult = await container.rebuild_analytics()(by=by, reason=reason, progress=Progress("events"))
    figures = done.swapped
    cells = (done.events, *((figures.orders, figures.changed, figures.removed) if figures else (None,) * 3))
    columns = ("events", "orders", "changed or new", "removed", "orders stopped")
    session().show(done, rows(*columns, of=[(*cells, len(done.stopped))]))
    _print_stopped(done.stopped)
    _print_missing(done.missing, "log")
    session().info("swapped in" if figures else "nothing is swapped in: the analytics are unchanged")
    return 0 if figures else 1


@define
class Progress:
    """Prints the progress once a second."""

    unit: str
    _printed_at: float = field(factory=monotonic, init=False)

    def __call__(self, done: int, of: int) -> None:
        if monotonic() - self._printed_at >= PROGRESS_SECONDS:
            self._printed_at = monotonic()
            session().info(f"{done:,} of {of:,} {self.unit}")


def _required(name: str, text: str | None) -> str:
    if text is None:
        raise InvalidInput(name, "it is missing", "--by NAME and --reason TEXT, or --dry-run")
    return text


def _table(done: ReplayResult) -> Any:
    figures = (done.events, done.orders, done.handled, done.parked, done.dropped, len(done.stopped), len(done.missing))
    columns = ("events", "orders", "handled", "parked", "dropped", "orders stopped", "buckets with a gap")
    return rows("consumer", "source", *columns, of=[(done.consumer, done.source, *figures)])


def _print_outcome(done: ReplayResult) -> None:
    _print_stopped(done.stopped)
    _print_missing(done.missing, done.source)
    if done.parked:
        parked = counted(done.parked, "event")
        session().info(f"parked: {parked}; `orderflow dead-letters redrive {done.consumer}` handles what is parked")
    if done.dry_run:
        session().info("nothing is changed")
    elif not done.events:
        session().info(f"{done.consumer} has handled no events from there on; it will handle them in its own time")


def _print_stopped(stopped: Sequence[StoppedOrder]) -> None:
    for stop in stopped:
        session().info(f"order {stop.order_id} stopped at event {stop.sequence}: {stop.error}: {stop.message}")


def _print_missing(missing: Sequence[MissingPosition], source: str) -> None:
    for gap in missing:
        session().info(f"bucket {gap.bucket}: the {source} has no event at position {gap.position}")
