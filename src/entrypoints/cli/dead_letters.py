"""``orderflow dead-letters``: events that a consumer could not handle."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ...application.backoff import RateLimit
from ...application.consuming.dead_letter import DeadLetter
from ...application.dead_letters.redrive import RedriveCandidate, RedriveResult
from ...domain.errors import InvalidInput, NotFound
from ...domain.text import counted
from ..wiring.own_consumers import known_names
from .arguments import checked_limit
from .session import rows, session, titled_lines, with_consumer

if TYPE_CHECKING:
    from ..container import Container

app = App(name="dead-letters")

_MAX_CHARACTERS = 60
"""Characters of a record's bytes that a table shows."""


@app.command(name="list")
async def list_(consumer: str | None = None, /, *, error: str | None = None) -> None:
    """List the parked orders, each with the dead letter that parked it, and count the unrecognized records."""
    async with session().opened() as container:
        dead_letters = await container.effects().dead_letters.blocking(consumer, error=error)
        foreign = await container.effects().dead_letters.unrecognized_records(consumer)
        if not (dead_letters or foreign):
            await _require_known(container, consumer)
    columns = ("consumer", "order", "event", "error", "attempts", "last failed", "message")
    parked = rows(
        *columns,
        of=(
            (at.consumer, at.record.order_id, at.record.sequence, at.error, at.attempts, at.last_failed_at, at.message)
            for at in dead_letters
        ),
    )
    session().show({"parked": dead_letters, "foreign": foreign}, parked)
    if foreign and not session().json:
        session().info("the topic has unrecognized records: `orderflow dead-letters unrecognized` lists them")


@app.command
async def show(consumer: str, order_id: str, /) -> None:
    """Show all dead letters of an order, with error, traceback, attempts and origin."""
    async with session().opened() as container:
        dead_letters = await container.effects().dead_letters.of_order(consumer, order_id)
    if not dead_letters:
        raise NotFound(f"dead letter of {consumer} for order", order_id)
    session().show(dead_letters, rows("event", "", "", of=(line for each in dead_letters for line in _lines(each))))


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
    """Handle the events of parked orders again, in order: of one order, of one CONSUMER, or of all (--all).

    --error CLASS selects the orders that were parked by that error. --rate N handles at most N events per second.
    --dry-run only shows what would be handled. --by NAME and --reason TEXT are recorded with each event. A CONSUMER of
    your own is named as in ORDERFLOW_CONSUMERS, or by MODULE:FUNCTION.
    """
    if everything is (consumer is not None):
        allowed = ", ".join(known_names(session().settings))
        raise InvalidInput("consumer", "give the name of one, or --all", allowed)
    current, one = (session(), "") if consumer is None else with_consumer(consumer)
    pace = RateLimit(rate)
    async with current.opened() as container:
        consumers = container.consumers()
        names = [one] if one else list(consumers)
        if order_id is not None and not await container.effects().dead_letters.of_order(one, order_id):
            raise NotFound(f"dead letter of {one} for order", order_id)
        redrives = [container.redrive(consumer=consumers[name]) for name in names]
        if dry_run:
            _show_plan([order for each in redrives for order in await each.preview(order_id, error=error)])
            return
        done = [await each(order_id, error=error, by=by, reason=reason, pace=pace) for each in redrives]
        others = set(await container.effects().dead_letters.parked()) - set(consumers) if everything else set()
    _show_results(done)
    if others:
        session().info(
            f"{', '.join(sorted(others))}: an application redrives its own handlers with `OrderFlow.redrive`"
        )


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
    """Skip, for CONSUMER, the event that parked the order; with --all also the events behind it.

    The events stay in the log. --by NAME and --reason TEXT are recorded.
    """
    async with session().opened() as container:
        dropped = await container.drop_dead_letter()(
            consumer, order_id, by=by, reason=reason, with_followers=everything
        )
        left = await container.effects().dead_letters.of_order(consumer, order_id)
    cells = ((each.record.sequence, each.record.type, each.error) for each in dropped.dead_letters)
    session().show(dropped, rows("event", "type", "error", of=cells))
    if left:
        session().info(f"still parked: {counted(len(left), 'event')} of the order, to redrive, or to drop with --all")


@app.command
async def history(consumer: str | None = None, /, *, order: str | None = None, limit: int = 50) -> None:
    """Show who redrove or dropped what, when and why, the latest first."""
    async with session().opened() as container:
        dead_letters = container.effects().dead_letters
        changes = await dead_letters.history(limit=checked_limit(limit), consumer=consumer, order_id=order)
        if not changes:
            await _require_known(container, consumer)
    columns = ("time", "by", "consumer", "order", "event", "outcome", "error", "reason")
    shown = (
        (it.note.at, it.note.by, it.consumer, it.order_id, it.sequence, it.outcome, it.error, it.note.reason)
        for it in changes
    )
    session().show(changes, rows(*columns, of=shown))


@app.command
async def unrecognized(consumer: str | None = None, /, *, limit: int = 100) -> None:
    """Show unrecognized records: records of the topic that are not orderflow events.

    The table shows the beginning of their bytes, --json all of them.
    """
    async with session().opened() as container:
        found = await container.effects().dead_letters.unrecognized_records(consumer, limit=checked_limit(limit))
        if not found:
            await _require_known(container, consumer)
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


async def _require_known(container: "Container", consumer: str | None) -> None:
    """Raise InvalidInput if there is no such ``consumer``, of which an empty list would hide a mistyped name."""
    if consumer is not None:
        await container.readers().named(consumer)


def _show_plan(orders: Sequence[RedriveCandidate]) -> None:
    cells = ((it.consumer, it.order_id, it.sequence, it.error, it.events) for it in orders)
    session().show(orders, rows("consumer", "order", "from event", "error", "events", of=cells))
    events = sum(it.events for it in orders)
    session().info(
        f"nothing is changed; {counted(events, 'event')} of {counted(len(orders), 'order')} would be handled"
    )


def _show_results(results: Sequence[RedriveResult]) -> None:
    cells = ((it.consumer, it.events, len(it.unparked), len(it.stopped)) for it in results)
    session().show(results, rows("consumer", "events handled", "orders unparked", "orders stopped", of=cells))
    for dead_letter in (dead_letter for it in results for dead_letter in it.stopped):
        order, event = dead_letter.record.order_id, dead_letter.record.sequence
        session().info(f"{dead_letter.consumer}, order {order}, event {event} failed again: {dead_letter.message}")


def _lines(dead_letter: DeadLetter) -> Sequence[tuple[object, ...]]:
    """Return the table's lines of one dead letter: event, name and value."""
    record, origin = dead_letter.record, dead_letter.origin
    values = {
        "type": record.type,
        "event id": record.event_id,
        "address": f"bucket {record.bucket}, position {record.position}",
        "read at": f"{origin.topic}/{origin.partition}@{origin.offset}" if origin else "",
        "error": dead_letter.error,
        "message": dead_letter.message,
        "attempts": dead_letter.attempts or None,
        "first failed": dead_letter.first_failed_at,
        "last failed": dead_letter.last_failed_at,
        "traceback": dead_letter.trace,
    }
    return titled_lines(record.sequence, values)


def _bytes(content: bytes) -> str:
    text = content.decode(errors="backslashreplace")
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 3] + "..."
