"""The results of a simulated day in a few figures."""

from collections import Counter
from collections.abc import Iterable, Mapping

from attrs import frozen

from ...application.analytics.figures import nearest_rank
from ...domain.lifecycle import OrderState


@frozen(kw_only=True)
class Outcome:
    """The outcome of one order. Times are in seconds since midnight; ``ended_at`` is None for an unfinished order."""

    placed_at: float
    ended_at: float | None
    state: OrderState
    reason: str | None = None


@frozen(kw_only=True)
class DayFigures:
    """Click-to-door times are the minutes from placement to delivery of the delivered orders; None if there are none.

    Percentiles are by nearest rank: the least time that so many per cent of the times do not exceed.
    ``within_target`` is the share (0 to 1) of the delivered orders that took at most ``target_minutes``.
    ``cancelled`` counts by reason, the most frequent first.
    """

    orders: int
    delivered: int
    cancelled: Mapping[str, int]
    unfinished: int
    target_minutes: float
    median_minutes: float | None
    p90_minutes: float | None
    within_target: float | None


def day_figures(outcomes: Iterable[Outcome], *, target_minutes: float) -> DayFigures:
    """Compute the figures of ``outcomes``, in any order."""
    orders = list(outcomes)
    minutes = Counter(
        (o.ended_at - o.placed_at) / 60 for o in orders if o.state is OrderState.DELIVERED and o.ended_at is not None
    )
    delivered = minutes.total()
    reasons = Counter(o.reason or "" for o in orders if o.state is OrderState.CANCELLED)
    by_reason = dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
    on_time = sum(times for taken, times in minutes.items() if taken <= target_minutes)
    return DayFigures(
        orders=len(orders),
        delivered=delivered,
        cancelled=by_reason,
        unfinished=len(orders) - delivered - sum(by_reason.values()),
        target_minutes=target_minutes,
        median_minutes=nearest_rank(minutes, 50),
        p90_minutes=nearest_rank(minutes, 90),
        within_target=on_time / delivered if delivered else None,
    )
