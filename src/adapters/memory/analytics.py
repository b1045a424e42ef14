"""Progress of the orders in memory."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any, TypeVar

from attrs import frozen

from ...application.analytics.figures import (
    ALWAYS,
    WITHOUT_REVENUE,
    DeliveryTimes,
    MinuteSales,
    RestaurantSales,
    Span,
    StateTime,
    delivery_times,
    minute_of,
    state_time,
)
from ...application.analytics.order_progress import OrderProgress
from ...domain.lifecycle import OrderState
from ...domain.money import EXACT
from .overlay import Overlay


@frozen
class MemoryAnalyticsStore:
    _progress: Overlay[str, OrderProgress]

    async def progress(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        return self._progress.among(order_ids)

    async def keep(self, progress: Sequence[OrderProgress]) -> None:
        for order in progress:
            self._progress.put(order.order_id, order)

    def commit(self) -> None:
        self._progress.keep()


K = TypeVar("K", datetime, str)


@frozen
class MemoryAnalyticsQueries:
    _progress: dict[str, OrderProgress]

    async def per_minute(
        self, start: datetime, end: datetime, restaurant_id: str | None = None, *, limit: int | None = None
    ) -> Sequence[MinuteSales]:
        sold = _grouped((minute_of(it.created_at), it) for it in self._of(restaurant_id, Span(start, end)))
        return [MinuteSales(minute=minute, **_sums(currency, orders)) for (minute, currency), orders in sold][:limit]

    async def per_restaurant(
        self, restaurant_id: str | None = None, span: Span = ALWAYS, *, limit: int | None = None
    ) -> Sequence[RestaurantSales]:
        sold = _grouped((it.restaurant_id, it) for it in self._of(restaurant_id, span))
        return [
            RestaurantSales(restaurant_id=restaurant_id, **_sums(currency, orders))
            for (restaurant_id, currency), orders in sold
        ][:limit]

    async def by_state(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> Mapping[OrderState, int]:
        counted = Counter(it.state for it in self._of(restaurant_id, span))
        return {state: counted[state] for state in OrderState}

    async def time_in_states(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> Sequence[StateTime]:
        total: dict[OrderState, timedelta] = defaultdict(timedelta)
        seconds: dict[OrderState, Counter[int]] = defaultdict(Counter)
        for order in self._of(restaurant_id, span):
            for state, spent in order.spent.items():
                total[state] += spent
                seconds[state][spent // timedelta(seconds=1)] += 1
        return [state_time(state, total[state], seconds[state]) for state in OrderState if state in total]

    async def cancellations(
        self, restaurant_id: str | None = None, span: Span = ALWAYS, *, limit: int | None = None
    ) -> Mapping[str, int]:
        counted = Counter(it.cancel_reason for it in self._of(restaurant_id, span) if it.cancel_reason is not None)
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:limit])

    async def delivery_times(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> DeliveryTimes:
        taken = (it.delivery_minutes for it in self._of(restaurant_id, span))
        return delivery_times(Counter(minutes for minutes in taken if minutes is not None))

    def _of(self, restaurant_id: str | None, span: Span) -> Sequence[OrderProgress]:
        return [
            it for it in self._progress.values() if restaurant_id in (None, it.restaurant_id) and it.created_at in span
        ]

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        return {order_id: self._progress[order_id] for order_id in order_ids if order_id in self._progress}

    async def derived_differ(self, order_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        return {}


def _grouped(orders: Iterable[tuple[K, OrderProgress]]) -> list[tuple[tuple[K, str], list[OrderProgress]]]:
    """Group the orders by key and currency, in that order."""
    groups: dict[tuple[K, str], list[OrderProgress]] = defaultdict(list)
    for key, order in orders:
        groups[key, order.total.currency].append(order)
    return [(key, groups[key]) for key in sorted(groups)]


def _sums(currency: str, orders: Sequence[OrderProgress]) -> dict[str, Any]:
    kept = [order for order in orders if order.state is not WITHOUT_REVENUE]
    return {
        "currency": currency,
        "orders": len(orders),
        "cancelled": len(orders) - len(kept),
        "gross_revenue": _sum(orders),
        "net_revenue": _sum(kept),
    }


def _sum(orders: Sequence[OrderProgress]) -> Decimal:
    """Return the exact sum of the totals, which may be larger than the amount of an order."""
    return reduce(EXACT.add, (order.total.amount for order in orders), Decimal(0))
