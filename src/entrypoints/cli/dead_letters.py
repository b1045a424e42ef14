"""``orderflow dead-letters``: events that a consumer could not handle, and what is done about them."""

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter

from ...application.backoff import RateLimit
from ...application.consuming.dead_letter import DeadLetter
from ...application.dead_letters.redrive import RedriveCandidate, RedriveResult
from ...domain.errors import InvalidInput, NotFound
from ..container import CONSUMERS
from .session import rows, session

app = App(
    name="dead-letters",
    help="Events that a consumer could not handle, and the orders parked behind them. Every change is noted for good.",
)
MOST = 10_000
"""Entries that are shown at once."""
_SHOWN = 60
"""Characters of bytes that a table has room for."""


@app.command(name="list")
async def list_(consumer: str | None = None, /, *, error: str | None = None) -> None:
    """The first letter of every parked order; how many records of the topic are none of ours."""
    async with session().opened() as container:
        letters = await container.effects().dead_letters.blocking(consumer, error=error)
        foreign = await container.effects().dead_letters.foreign(consumer)
    columns = ("consumer", "order", "event", "error", "attempts", "last failed", "message")
    parked = rows(
        *columns,
        of=(
            (at.consumer, at.record.order_id, at.record.sequence, at.error, at.attempts, at.last_failed_at, at.message)
            for at in letters
        ),
    )
    session().show({"parked": letters, "foreign": foreign}, parked)
    if foreign and not session().json:
        session().say("some records of the topic are no events of ours; see `orderflow dead-letters unrecognized`")


@app.command
async def show(consumer: str, order_id: str, /) -> None:
    """All letters of an order, in sequence: what failed, where, how often, and where the event stands."""
    async with session().opened() as container:
        letters = await container.effects().dead_letters.of_order(consumer, order_id)
    if not letters:
        raise NotFound(f"dead letter of {consumer} for order", order_id)
    session().show(letters, rows("event", "", "", of=(line for letter in letters for line in _told(letter))))


@app.command
async def redrive(
    consumer: str | None = None,
    order_id: str | None = None,
    /,
    *,
    everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
    error: str | None = None,
    rate: float | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    by: str = "",
    reason: str = "",
) -> None:
    """Handle the events of parked orders after all, in order: of one order, of one consumer, or --all.

    --error CLASS takes only orders whose first letter has that class; --rate N handles at most N events a second;
    --dry-run tells what would be handled, and changes nothing. --by NAME and --reason TEXT are noted with each event.
    """
    names = _consumers(consumer, everything)
    pace = RateLimit(rate)
    async with session().opened() as container:
        redrives = [container.redrive(consumer=container.consumers()[name]) for name in names]
        if dry_run:
            _show_plan([order for each in redrives for order in await each.would(order_id, error=error)])
            return
        done = [await each(order_id, error=error, by=by, reason=reason, pace=pace) for each in redrives]
        others = set(await container.effects().dead_letters.parked()) - set(CONSUMERS) if everything else set()
    _show_done(done)
    if others:
        session().say(f"{', '.join(sorted(others))}: handlers of an application, redriven by `OrderFlow.redrive` there")


@app.command
async def drop(
    consumer: str,
    order_id: str,
    /,
    *,
    everything: Annotated[bool, Parameter(name="--all", negative="")] = False,
    by: str,
    reason: str,
) -> None:
    """Give up, for CONSUMER, the effect of the event that parked the order; --all: of all its events that wait.

    The event stays in the log. --by NAME and --reason TEXT are noted.
    """
    async with session().opened() as container:
        dropped = await container.drop_dead_letter()(
            consumer, order_id, by=by, reason=reason, with_followers=everything
        )
        left = await container.effects().dead_letters.of_order(consumer, order_id)
    shown = ((each.record.sequence, each.record.type, each.error) for each in dropped.letters)
    session().show(dropped, rows("event", "type", "error", of=shown))
    if left:
        session().say(f"{len(left)} events of the order wait; redrive handles them, --all drops them as well")


@app.command
async def history(consumer: str | None = None, /, *, order: str | None = None, limit: int = 50) -> None:
    """What was done about letters, by whom, when and why, the latest first."""
    async with session().opened() as container:
        letters = container.effects().dead_letters
        changes = await letters.history(limit=_limit(limit), consumer=consumer, order_id=order)
    columns = ("time", "by", "consumer", "order", "event", "outcome", "error", "why")
    shown = (
        (it.note.at, it.note.by, it.consumer, it.order_id, it.sequence, it.outcome, it.error, it.note.reason)
        for it in changes
    )
    session().show(changes, rows(*columns, of=shown))


@app.command
async def unrecognized(consumer: str | None = None, /, *, limit: int = 100) -> None:
    """Records of the topic that are no events of ours, with where they stand and their bytes; --json has them whole."""
    async with session().opened() as container:
        found = await container.effects().dead_letters.foreign(consumer, limit=_limit(limit))
    columns = ("consumer", "record", "found", "key", "value", "problem")
    shown = (
        (
            it.consumer,
            f"{it.record.topic}/{it.record.partition}@{it.record.offset}",
            it.found_at,
            _bytes(it.record.key),
            _bytes(it.record.value),
            it.record.problem,
        )
        for it in found
    )
    session().show(found, rows(*columns, of=shown))


def _consumers(consumer: str | None, everything: bool) -> Sequence[str]:
    """Whose letters are meant. Raises InvalidInput."""
    if everything and consumer is None:
        return CONSUMERS
    if everything or consumer is None:
        raise InvalidInput("consumer", "either one is named, or --all", ", ".join(CONSUMERS))
    if consumer not in CONSUMERS:
        raise InvalidInput("consumer", f"{consumer!r} is none", ", ".join(CONSUMERS))
    return [consumer]


def _limit(limit: int) -> int:
    if not 1 <= limit <= MOST:
        raise InvalidInput("limit", f"it is {limit}", f"1 to {MOST}")
    return limit


def _show_plan(orders: Sequence[RedriveCandidate]) -> None:
    shown = ((it.consumer, it.order_id, it.sequence, it.error, it.events) for it in orders)
    session().show(orders, rows("consumer", "order", "from event", "error", "events", of=shown))
    events = sum(it.events for it in orders)
    session().say(f"nothing is changed; {events} events of {len(orders)} orders would be handled")


def _show_done(done: Sequence[RedriveResult]) -> None:
    shown = ((it.consumer, it.events, len(it.unparked), len(it.stopped)) for it in done)
    session().show(done, rows("consumer", "events handled", "orders unparked", "orders stopped", of=shown))
    for letter in (letter for it in done for letter in it.stopped):
        at = letter.record
        session().say(f"{letter.consumer}, order {at.order_id}, event {at.sequence} failed again: {letter.message}")


def _told(letter: DeadLetter) -> Sequence[tuple[object, ...]]:
    """The lines of one letter: event, name and value."""
    record, origin = letter.record, letter.origin
    said: dict[str, Any] = {
        "type": record.type,
        "event id": record.event_id,
        "address": f"bucket {record.bucket}, position {record.position}",
        "read at": f"{origin.topic}/{origin.partition}@{origin.offset}" if origin else "",
        "error": letter.error,
        "message": letter.message,
        "attempts": letter.attempts,
        "first failed": letter.first_failed_at,
        "last failed": letter.last_failed_at,
        "traceback": letter.trace,
    }
    told = [(name, value) for name, value in said.items() if value not in ("", 0)]
    return [(record.sequence if number == 0 else "", *line) for number, line in enumerate(told)]


def _bytes(given: bytes) -> str:
    text = given.decode(errors="backslashreplace")
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
