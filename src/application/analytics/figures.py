"""The figures of analytics: sales, times in states, and delivery times.

Revenue is counted twice, exactly and by currency: ``gross_revenue`` is the total of all orders that were created,
``net_revenue`` of those among them that are not cancelled. Both count an order in the minute of its creation.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from attrs import frozen

from ...domain.errors import InvalidInput
from ...domain.lifecycle import OrderState

N = TypeVar("N", int, float)
WITHOUT_REVENUE = OrderState.CANCELLED
"""The state whose orders have no net revenue."""


def check_interval(start: datetime, end: datetime) -> None:
    """Raise InvalidInput, which names ``start``, if the interval ends before it starts."""
    if start > end:
        raise InvalidInput("start", f"it is after the end, {end.isoformat()}", "a time that is not after the end")


@frozen
class Span:
    """The times from ``start`` until before ``end``; None leaves a side open.

    Raises:
        InvalidInput: which names ``start``, if it ends before it starts.
    """

    start: datetime | None = None
    end: datetime | None = None

    def __attrs_post_init__(self) -> None:
        if self.start is not None and self.end is not None:
            check_interval(self.start, self.end)

    def __contains__(self, moment: datetime) -> bool:
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)


ALWAYS = Span()


@frozen(kw_only=True)
class Sales:
    """The sales of some orders in one ``currency``."""

    currency: str
    orders: int
    cancelled: int
    gross_revenue: Decimal
    net_revenue: Decimal


@frozen(kw_only=True)
class MinuteSales(Sales):
    """The sales of the orders that were created in the minute that begins at ``minute`` (UTC)."""

    minute: datetime


@frozen(kw_only=True)
class RestaurantSales(Sales):
    """The sales of all orders of one restaurant."""

    restaurant_id: str


@frozen(kw_only=True)
class StateTime:
    """The time that orders spent in a state before they left it, in seconds; percentiles over whole seconds."""

    state: OrderState
    orders: int
    mean: float
    median: int
    p90: int


@frozen(kw_only=True)
class DeliveryTimes:
    """Whole minutes from creation to delivery, by nearest rank; None while nothing was delivered."""

    orders: int
    p50: int | None
    p90: int | None
    p99: int | None


def state_time(state: OrderState, total: timedelta, seconds: Mapping[int, int]) -> StateTime:
    """Compute the times from their ``total`` and from the count of each whole number of ``seconds``, at least one."""
    orders = sum(seconds.values())
    return StateTime(
        state=state,
        orders=orders,
        mean=total.total_seconds() / orders,
        median=nearest_rank(seconds, 50) or 0,
        p90=nearest_rank(seconds, 90) or 0,
    )


def delivery_times(minutes: Mapping[int, int]) -> DeliveryTimes:
    """Compute the percentiles from the count of each whole number of minutes."""
    p50, p90, p99 = (nearest_rank(minutes, percent) for percent in (50, 90, 99))
    return DeliveryTimes(orders=sum(minutes.values()), p50=p50, p90=p90, p99=p99)


def nearest_rank(counts: Mapping[N, int], percent: int) -> N | None:
    """Return the least value that ``percent`` per cent of the counted values do not exceed; None without values."""
    rank = -(-percent * sum(counts.values()) // 100)
    for value in sorted(counts):
        rank -= counts[value]
        if rank <= 0:
            return value
    return None


def minute_of(at: datetime) -> datetime:
    """Return the beginning of the minute of ``at``, in UTC."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)
