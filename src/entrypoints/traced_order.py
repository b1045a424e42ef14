"""The trace of an order as data, for the command line and the API."""

from typing import Any

from ..application.health.trace_order import EventTrace, Moment, TracedOrder


def trace_data(traced: TracedOrder) -> dict[str, Any]:
    """Return ``traced`` as JSON can hold it."""
    return {"orderId": traced.order_id, "events": [_event(event) for event in traced.events], "notes": traced.notes}


def step_before_handling(event: EventTrace) -> Moment | None:
    """Return publishing if it is known, else the commit."""
    return event.published or event.committed


def _event(event: EventTrace) -> dict[str, Any]:
    record, place = event.record, event.location
    return {
        "sequence": record.sequence,
        "type": record.type,
        "id": record.event_id,
        "correlationId": record.correlation_id,
        "traceId": record.traceparent[3:35],
        "occurredAt": record.occurred_at,
        "requested": _moment(event.requested, None),
        "committed": _moment(event.committed, event.requested),
        "published": _moment(event.published, event.committed),
        "record": place and {"topic": place.topic, "partition": place.partition, "offset": place.offset},
        "handled": [
            {
                "consumer": it.consumer,
                "state": it.state,
                **({"effect": it.effect} if it.effect else {}),
                **(_moment(it.moment, step_before_handling(event)) or {}),
            }
            for it in event.handled
        ],
    }


def _moment(moment: Moment | None, before: Moment | None) -> dict[str, Any] | None:
    """Return the step: ``ms`` is the time since the step before; without ``exact`` it may have been earlier."""
    if moment is None:
        return None
    return {"at": moment.at, "exact": moment.exact, "ms": moment.since(before)}
