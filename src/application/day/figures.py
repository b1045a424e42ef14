"""What became of a day's orders, in a few numbers."""

from collections import Counter
from collections.abc import Iterable, Mapping

from attrs import frozen

from ...domain.lifecycle import OrderState
from ..analytics.figures import nearest_rank
from .plan import Step, StepAction


@frozen(kw_only=True)
class Outcome:
    """What became of one order. Times are in seconds on any one clock; ``ended_at`` is None while it has not ended."""

    placed_at: float
    ended_at: float | None
    state: OrderState
    reason: str | None = None


@frozen(kw_only=True)
class DayFigures:
    """Click-to-door times are minutes from placement to delivery, of the delivered orders; None where there is none.

    Percentiles are by nearest rank: the least time that so many per cent of the times do not exceed.
    ``within_target`` is the share (0 to 1) of the delivered orders that took ``target_minutes`` at most.
    ``unfinished`` orders have ended in no way yet; a planned day has none.
    """

    orders: int
    delivered: int
    cancelled: Mapping[str, int]
    unfinished: int
    target_minutes: float
    median_minutes: float | None
    p90_minutes: float | None
    within_target: float | None


def planned_outcomes(steps: Iterable[Step]) -> tuple[Outcome, ...]:
    """The outcomes of a plan, in the order in which its orders are placed."""
    placed: dict[str, int] = {}
    outcomes: dict[str, Outcome] = {}
    for step in steps:
        if step.action is StepAction.PLACE:
            placed[step.order_id] = step.at
            ended_at, state = None, OrderState.WAITING_FOR_SHIPPER
        elif step.action is StepAction.DELIVER:
            ended_at, state = step.at, OrderState.DELIVERED
        elif step.action is StepAction.CANCEL:
            ended_at, state = step.at, OrderState.CANCELLED
        else:
            continue
        outcomes[step.order_id] = Outcome(
            placed_at=placed[step.order_id], ended_at=ended_at, state=state, reason=step.reason
        )
    return tuple(outcomes.values())


def day_figures(outcomes: Iterable[Outcome], *, target_minutes: float) -> DayFigures:
    """The figures of ``outcomes``, whose order does not matter. Cancellations stand by reason, the most first."""
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
