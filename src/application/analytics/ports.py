"""TODO."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...domain.lifecycle import OrderState
from ..consuming.consumer import ConsumerTransaction
from .figures import DeliveryTimes, MinuteSales, RestaurantSales, StateTime
from .order_progress import OrderProgress


class AnalyticsStore(Protocol):
    async def courses(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        """The courses of these orders so far, by order."""
        ...

    async def keep(self, courses: Sequence[OrderProgress]) -> None:
        """Keep these, each in place of what was known of its order."""
        ...


class AnalyticsTransaction(ConsumerTransaction, Protocol):
    """The transaction of the consumer *analytics*."""

    @property
    def analytics(self) -> AnalyticsStore: ...


class AnalyticsQueries(Protocol):
    async def per_minute(self, start: datetime, end: datetime) -> Sequence[MinuteSales]:
        """Of the orders created from ``start`` until before ``end``, by minute and currency; idle minutes are left out.

        Both are taken down to their minute.
        """
        ...

    async def per_restaurant(self) -> Sequence[RestaurantSales]:
        """By restaurant and currency."""
        ...

    async def by_state(self) -> Mapping[OrderState, int]:
        """How many orders are in each state now; every state is named."""
        ...

    async def time_in_states(self) -> Sequence[StateTime]:
        """Of the states that some order has left, in the order of a life."""
        ...

    async def cancellations(self) -> Mapping[str, int]:
        """How many orders were cancelled by each reason, the most first."""
        ...

    async def delivery_times(self) -> DeliveryTimes: ...

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        """The courses of these orders so far, by order."""
        ...
