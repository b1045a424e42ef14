"""Progress of the orders in memory."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from attrs import frozen

from ...application.analytics.figures import (
    DeliveryTimes,
    MinuteSales,
    RestaurantSales,
    StateTime,
    delivery_times,
    minute_of,
    state_time,
)
from ...application.analytics.order_progress import OrderProgress
from ...domain.lifecycle import OrderState
from ...domain.money import total_of
from .overlay import Overlay


@frozen
class MemoryAnalyticsStore:
    _courses: Overlay[str, OrderProgress]

    async def courses(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        return self._courses.among(order_ids)

    async def keep(self, courses: Sequence[OrderProgress]) -> None:
        for course in courses:
            self._courses.put(course.order_id, course)

    def commit(self) -> None:
        self._courses.keep()


K = TypeVar("K", datetime, str)


@frozen
class MemoryAnalyticsQueries:
    _courses: dict[str, OrderProgress]

    async def per_minute(self, start: datetime, end: datetime) -> Sequence[MinuteSales]:
        first, last = minute_of(start), minute_of(end)
        sold = _grouped((minute_of(it.created_at), it) for it in self._courses.values())
        return [
            MinuteSales(minute=minute, **_sums(currency, courses))
            for (minute, currency), courses in sold
            if first <= minute < last
        ]

    async def per_restaurant(self) -> Sequence[RestaurantSales]:
        sold = _grouped((it.restaurant_id, it) for it in self._courses.values())
        return [
            RestaurantSales(restaurant_id=restaurant_id, **_sums(currency, courses))
            for (restaurant_id, currency), courses in sold
        ]

    async def by_state(self) -> Mapping[OrderState, int]:
        counted = Counter(it.state for it in self._courses.values())
        return {state: counted[state] for state in OrderState}

    async def time_in_states(self) -> Sequence[StateTime]:
        total: dict[OrderState, timedelta] = defaultdict(timedelta)
        seconds: dict[OrderState, Counter[int]] = defaultdict(Counter)
        for course in self._courses.values():
            for state, spent in course.spent.items():
                total[state] += spent
                seconds[state][spent // timedelta(seconds=1)] += 1
        return [state_time(state, total[state], seconds[state]) for state in OrderState if state in total]

    async def cancellations(self) -> Mapping[str, int]:
        counted = Counter(it.cancel_reason for it in self._courses.values() if it.cancel_reason is not None)
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    async def delivery_times(self) -> DeliveryTimes:
        taken = (it.delivery_minutes for it in self._courses.values())
        return delivery_times(Counter(minutes for minutes in taken if minutes is not None))

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        return {order_id: self._courses[order_id] for order_id in order_ids if order_id in self._courses}


def _grouped(courses: Iterable[tuple[K, OrderProgress]]) -> list[tuple[tuple[K, str], list[OrderProgress]]]:
    """The courses by key and currency, in that order."""
    groups: dict[tuple[K, str], list[OrderProgress]] = defaultdict(list)
    for key, course in courses:
        groups[key, course.total.currency].append(course)
    return [(key, groups[key]) for key in sorted(groups)]


def _sums(currency: str, courses: Sequence[OrderProgress]) -> dict[str, Any]:
    kept = [course for course in courses if course.state is not OrderState.CANCELLED]
    return {
        "currency": currency,
        "orders": len(courses),
        "cancelled": len(courses) - len(kept),
        "gross_revenue": total_of((course.total for course in courses), currency).amount,
        "net_revenue": total_of((course.total for course in kept), currency).amount,
    }
