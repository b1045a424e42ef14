"""``orderflow orders trace``: the path of one order, without a tracing backend."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ...application.health.trace_order import EventTrace, Handling, Moment, TracedOrder
from ...domain.actor import Actor
from ...domain.text import counted
from ..traced_order import step_before_handling, trace_data
from .session import rows, session

if TYPE_CHECKING:
    from rich.table import Table


async def trace(order_id: str, actor: Actor) -> None:
    """Show the path of that order."""
    async with session().opened() as container:
        traced: TracedOrder = await container.trace_order()(order_id, by=actor)
    session().show(trace_data(traced), _table(traced.events))
    for note in traced.notes:
        session().info(f"note: {note}")


def _table(events: Sequence[EventTrace]) -> "Table":
    consumers = [it.consumer for it in events[0].handled]
    endpoints = sorted({it.endpoint for event in events for it in event.webhooks})
    columns = ("", "type", "requested", "committed", "published", *consumers, *(f"to {it}" for it in endpoints))
    return rows(
        *columns,
        of=(
            (
                event.record.sequence,
                event.record.type,
                event.requested and _clock(event.requested.at),
                _step(event.committed, event.requested),
                _step(event.published, event.committed),
                *(_handled(it, step_before_handling(event)) for it in event.handled),
                *(_sent(event, endpoint) for endpoint in endpoints),
            )
            for event in events
        ),
    )


def _handled(it: Handling, before: Moment | None) -> str:
    step = _step(it.moment, before)
    parts = ["" if it.state == "handled" else it.state, step, it.effect and f"({it.effect})"]
    return " ".join(part for part in parts if part)


def _sent(event: EventTrace, endpoint: str) -> str:
    """Format the webhook delivery to ``endpoint``: its time, or what is between it and its receiver."""
    it = next((it for it in event.webhooks if it.endpoint == endpoint), None)
    if it is None:
        return ""
    step = _step(it.moment, event.committed) or ""
    if it.status == "delivered":
        return step
    tried = f", tried {counted(it.attempts, 'time')}: {it.code or it.detail}" if it.attempts else ""
    return f"{it.status} {step}".rstrip() + tried


def _step(moment: Moment | None, before: Moment | None) -> str | None:
    """Format a step as ``+3.2 ms``, with ``<`` if it may have been earlier; the first step as a time."""
    if moment is None:
        return None
    latest = "" if moment.exact else "< "
    since = moment.since(before)
    return f"{latest}{_clock(moment.at)}" if since is None else f"{latest}{since:+.1f} ms"


def _clock(moment: datetime) -> str:
    return moment.isoformat(sep=" ", timespec="milliseconds")
