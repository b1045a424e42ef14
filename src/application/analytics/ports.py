"""The ports of analytics: the progress of orders within a transaction, and the queries for figures."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...domain.lifecycle import OrderState
from ..consuming.consumer import ConsumerTransaction
from .figures import ALWAYS, DeliveryTimes, MinuteSales, RestaurantSales, Span, StateTime
from .order_progress import OrderProgress


class AnalyticsStore(Protocol):
    """Keeps the progress of orders, in the consumer's transaction."""

    async def progress(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        """Return the progress of these orders, by order."""
        ...

    async def keep(self, progress: Sequence[OrderProgress]) -> None:
        """Store these, each in place of the earlier progress of its order."""
        ...


class AnalyticsTransaction(ConsumerTransaction, Protocol):
    """The transaction of the consumer *analytics*."""

    @property
    def analytics(self) -> AnalyticsStore: ...


class AnalyticsQueries(Protocol):
    """Reads progress and figures: of all restaurants, or of the orders of one; of those created in a span of time.

    With ``limit``, the first so many.
    """

    async def per_minute(
        self, start: datetime, end: datetime, restaurant_id: str | None = None, *, limit: int | None = None
    ) -> Sequence[MinuteSales]:
        """Return the sales of orders created from ``start`` until before ``end``, by minute and currency.

        The first and the last minute count only their orders within these times. Minutes without orders are left out.
        """
        ...

    async def per_restaurant(
        self, restaurant_id: str | None = None, span: Span = ALWAYS, *, limit: int | None = None
    ) -> Sequence[RestaurantSales]:
        """Return the sales by restaurant and currency."""
        ...

    async def by_state(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> Mapping[OrderState, int]:
        """Return the number of orders in each state; every state is included."""
        ...

    async def time_in_states(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> Sequence[StateTime]:
        """Return the times of the states that some order has left, in the order of the states."""
        ...

    async def cancellations(
        self, restaurant_id: str | None = None, span: Span = ALWAYS, *, limit: int | None = None
    ) -> Mapping[str, int]:
        """Return the number of cancelled orders by reason, the largest first."""
        ...

    async def delivery_times(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> DeliveryTimes: ...

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        """Return the progress of these orders, by order."""
        ...

    async def derived_differ(self, order_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Return, of those of these orders where they differ, the stored values that do not follow from the progress.

        Such values are kept for sums and lists only; an adapter that keeps none returns nothing.
        """
        ...
