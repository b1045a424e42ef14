"""``orderflow orders trace``: one order's way, without any tracing backend."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from ...application.health.trace_order import EventWay, Handling, Moment, TracedOrder
from ...domain.actor import Actor
from .session import rows, session


async def trace(order_id: str, actor: Actor) -> None:
    """Show the way of that order."""
    async with session().opened() as container:
        traced: TracedOrder = await container.trace_order()(order_id, by=actor)
    session().show(
        {"orderId": traced.order_id, "events": [_data(event) for event in traced.events], "notes": traced.notes},
        _table(traced.events),
    )
    for note in traced.notes:
        session().say(f"note: {note}")


def _data(event: EventWay) -> dict[str, Any]:
    record, place = event.record, event.place
    return {
        "sequence": record.sequence,
        "type": record.type,
        "id": record.event_id,
        "correlationId": record.correlation_id,
        "traceId": record.traceparent[3:35],
        "occurredAt": record.occurred_at,
        "asked": _moment(event.asked, None),
        "committed": _moment(event.committed, event.asked),
        "published": _moment(event.published, event.committed),
        "record": place and {"topic": place.topic, "partition": place.partition, "offset": place.offset},
        "handled": [
            {"consumer": it.consumer, "state": it.state, **(_moment(it.moment, _before(event)) or {})}
            for it in event.handled
        ],
    }


def _moment(moment: Moment | None, before: Moment | None) -> dict[str, Any] | None:
    """``ms`` are those since the step before; ``exact`` says whether it was then, or then at the latest."""
    if moment is None:
        return None
    return {"at": moment.at, "exact": moment.exact, "ms": moment.since(before)}


def _before(event: EventWay) -> Moment | None:
    """What handling follows: publishing, where it is known; else the commit."""
    return event.published or event.committed


def _table(events: Sequence[EventWay]) -> Table:
    consumers = [it.consumer for it in events[0].handled]
    columns = ("", "type", "asked", "committed", "published", *consumers)
    return rows(
        *columns,
        of=(
            (
                event.record.sequence,
                event.record.type,
                event.asked and _clock(event.asked.at),
                _step(event.committed, event.asked),
                _step(event.published, event.committed),
                *(_handled(it, _before(event)) for it in event.handled),
            )
            for event in events
        ),
    )


def _handled(it: Handling, before: Moment | None) -> str:
    step = _step(it.moment, before)
    return step or "" if it.state == "handled" else f"{it.state} {step or ''}".strip()


def _step(moment: Moment | None, before: Moment | None) -> str | None:
    """``+3.2 ms``; ``<`` before it where it may have been earlier; the time itself where nothing came before."""
    if moment is None:
        return None
    latest = "" if moment.exact else "< "
    since = moment.since(before)
    return f"{latest}{_clock(moment.at)}" if since is None else f"{latest}{since:+.1f} ms"


def _clock(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="milliseconds")
