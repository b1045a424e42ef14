"""The progress of one order as analytics keeps it, and how each event changes it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import evolve, field, frozen

from ...domain.errors import CorruptHistory
from ...domain.events import OrderCancelled, OrderCreated, OrderDelivered, OrderEvent, StateChanged
from ...domain.lifecycle import OrderState
from ...domain.money import Money


@frozen(kw_only=True)
class OrderProgress:
    """One order after its first ``events`` events.

    It has been in ``state`` since ``since``. ``spent`` is the time in each state that it has left; it never leaves a
    final state.
    """

    order_id: str
    restaurant_id: str
    total: Money
    created_at: datetime
    state: OrderState
    since: datetime
    spent: Mapping[OrderState, timedelta] = field(factory=dict)
    cancel_reason: str | None = None
    delivery_minutes: int | None = None
    events: int = 1


@frozen
class ProgressChange:
    """The progress of one order ``before`` some events, None if there were no earlier ones, and ``after`` them."""

    before: OrderProgress | None
    after: OrderProgress


@frozen
class AnalyticsResult:
    """The orders whose progress one transaction has changed."""

    changes: tuple[ProgressChange, ...]


def follow(progress: OrderProgress | None, event: OrderEvent) -> OrderProgress:
    """Return the progress after ``event``; a repeated event changes nothing. Raises CorruptHistory on a gap."""
    if progress is None:
        if not isinstance(event, OrderCreated):
            raise CorruptHistory(event.order_id, event.sequence, "no order.created came before it")
        return OrderProgress(
            order_id=event.order_id,
            restaurant_id=event.restaurant_id,
            total=event.total,
            created_at=event.occurred_at,
            state=OrderState.WAITING_FOR_SHIPPER,
            since=event.occurred_at,
            events=event.sequence,
        )
    if event.sequence <= progress.events:
        return progress
    if event.sequence != progress.events + 1:
        raise CorruptHistory(event.order_id, event.sequence, f"it follows number {progress.events}")
    match event:
        case StateChanged():
            stay = max(timedelta(), event.occurred_at - progress.since)
            spent = {**progress.spent, event.old: progress.spent.get(event.old, timedelta()) + stay}
            return evolve(progress, events=event.sequence, state=event.new, since=event.occurred_at, spent=spent)
        case OrderCancelled():
            return evolve(progress, events=event.sequence, cancel_reason=event.reason)
        case OrderDelivered():
            return evolve(progress, events=event.sequence, delivery_minutes=event.minutes)
        case _:
            return evolve(progress, events=event.sequence)
