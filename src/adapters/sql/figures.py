"""The figures of analytics, read off the courses of all orders."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from attrs import frozen
from sqlalchemy import ColumnElement, Select, case, func, select

from ...application.figures import (
    DeliveryTimes,
    MinuteSales,
    OrderCourse,
    RestaurantSales,
    StateTime,
    delivery_times,
    minute_of,
    state_time,
)
from ...domain.lifecycle import OrderState
from .bulk import among
from .database import Database
from .effects_rows import SPENT, course_of
from .effects_tables import order_courses

_SECOND_US = 1_000_000
_CENTS = Decimal("0.01")


@frozen
class SqlAnalyticsViews:
    _database: Database

    async def per_minute(self, start: datetime, end: datetime) -> Sequence[MinuteSales]:
        minute = order_courses.c.created_minute
        sales = _sales(minute).where(minute >= _minutes(start), minute < _minutes(end))
        return [
            MinuteSales(minute=datetime.fromtimestamp(row[0] * 60, UTC), **_sums(row)) for row in await self._all(sales)
        ]

    async def per_restaurant(self) -> Sequence[RestaurantSales]:
        sales = await self._all(_sales(order_courses.c.restaurant_id))
        return [RestaurantSales(restaurant_id=row[0], **_sums(row)) for row in sales]

    async def by_state(self) -> Mapping[OrderState, int]:
        state = order_courses.c.state
        counted = {row[0]: row[1] for row in await self._all(select(state, func.count()).group_by(state))}
        return {state: counted.get(state, 0) for state in OrderState}

    async def time_in_states(self) -> Sequence[StateTime]:
        return [time for state, name in SPENT.items() if (time := await self._time_in(state, name)) is not None]

    async def cancellations(self) -> Mapping[str, int]:
        reason = order_courses.c.cancel_reason
        counted = await self._all(select(reason, func.count()).where(reason.is_not(None)).group_by(reason))
        return dict(sorted(((row[0], row[1]) for row in counted), key=lambda item: (-item[1], item[0])))

    async def delivery_times(self) -> DeliveryTimes:
        minutes = order_courses.c.delivery_minutes
        counted = await self._all(select(minutes, func.count()).where(minutes.is_not(None)).group_by(minutes))
        return delivery_times({row[0]: row[1] for row in counted})

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, OrderCourse]:
        async with self._database.reading() as connection:
            here = among(connection, order_courses.c.order_id, order_ids)
            found = await connection.execute(select(order_courses).where(here))
            return {row["order_id"]: course_of(row) for row in found.mappings()}

    async def _time_in(self, state: OrderState, name: str) -> StateTime | None:
        spent = order_courses.c[name]
        # Whole microseconds modulo seconds: division rounds differently here and there, the remainder does not.
        second = (spent - spent % _SECOND_US).label("second")
        counted = await self._all(
            select(second, func.count(), func.sum(spent)).where(spent.is_not(None)).group_by(second)
        )
        if not counted:
            return None
        total = sum(int(row[2]) for row in counted)
        seconds = {row[0] // _SECOND_US: row[1] for row in counted}
        return state_time(state, timedelta(microseconds=total), seconds)

    async def _all(self, query: Select[Any]) -> Sequence[Any]:
        async with self._database.reading() as connection:
            found = await connection.execute(query)
            return list(found)


def _sales(key: ColumnElement[Any]) -> Select[Any]:
    it = order_courses.c
    cancelled = it.state == OrderState.CANCELLED.value
    return (
        select(
            key,
            it.currency,
            func.count().label("orders"),
            func.sum(case((cancelled, 1), else_=0)).label("cancelled"),
            func.sum(it.total_e4).label("gross"),
            func.sum(case((cancelled, 0), else_=it.total_e4)).label("net"),
        )
        .group_by(key, it.currency)
        .order_by(key, it.currency)
    )


def _sums(row: Any) -> dict[str, Any]:
    return {
        "currency": row.currency,
        "orders": row.orders,
        "cancelled": int(row.cancelled),
        "gross_revenue": _amount(row.gross),
        "net_revenue": _amount(row.net),
    }


def _amount(ten_thousandths: int | Decimal) -> Decimal:
    """The exact amount, with two decimals at least."""
    amount = Decimal(ten_thousandths).scaleb(-4)
    cents = amount.quantize(_CENTS)
    return cents if cents == amount else amount


def _minutes(at: datetime) -> int:
    return int(minute_of(at).timestamp()) // 60
