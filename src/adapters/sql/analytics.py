"""Progress of the orders as rows, and the figures that are computed from it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from attrs import frozen
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Select,
    Table,
    Text,
    case,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

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
from ...domain.money import EXACT, Money
from .bulk import Row, put, select_among
from .database import SQLITE, Database
from .types import DecimalAmount, Identifier, Timestamp, metadata


def _progress_table(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("order_id", Identifier, nullable=False),
        Column("restaurant_id", Identifier, nullable=False),
        Column("total", DecimalAmount, nullable=False),
        # The total in ten-thousandths: every database sums whole numbers exactly.
        Column("total_e4", BigInteger, nullable=False),
        Column("currency", Identifier, nullable=False),
        Column("state", Text, nullable=False),
        Column("since", Timestamp, nullable=False),
        Column("created_at", Timestamp, nullable=False),
        # Whole minutes since 1970: every database groups them alike.
        Column("created_minute", BigInteger, nullable=False),
        # Microseconds in each state that the order has left.
        Column("waiting_for_shipper_us", BigInteger),
        Column("preparing_us", BigInteger),
        Column("on_the_way_us", BigInteger),
        Column("cancel_reason", Text),
        Column("delivery_minutes", Integer),
        Column("events", Integer, nullable=False),
        PrimaryKeyConstraint("order_id"),
    )


order_progress = _progress_table("order_progress")
Index(None, order_progress.c.created_minute)


order_progress_shadow = _progress_table("order_progress_shadow")
"""Rows of a rebuild in progress; otherwise empty."""


rebuilds = Table(
    "rebuilds",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("run", Text, nullable=False),
    PrimaryKeyConstraint("consumer"),
)
"""The last rebuild of each consumer. A transaction that writes to a shadow table locks its row first."""


_US = timedelta(microseconds=1)


SPENT = {state: f"{state}_us" for state in OrderState if not state.terminal}
"""The column with the time spent in each non-final state."""


_SAME = ("order_id", "restaurant_id", "since", "created_at", "cancel_reason", "delivery_minutes", "events")
"""The columns that have the value of the attribute with their name."""


def row_of_progress(it: OrderProgress) -> dict[str, Any]:
    return {
        **{name: getattr(it, name) for name in _SAME},
        "total": it.total.amount,
        "total_e4": int(EXACT.scaleb(it.total.amount, 4)),
        "currency": it.total.currency,
        "state": it.state.value,
        "created_minute": _minutes(it.created_at),
        **{name: None if (spent := it.spent.get(state)) is None else spent // _US for state, name in SPENT.items()},
    }


def progress_of(row: Row) -> OrderProgress:
    return OrderProgress(
        **{name: row[name] for name in _SAME},
        total=Money(row["total"], row["currency"]),
        state=OrderState(row["state"]),
        spent={state: row[name] * _US for state, name in SPENT.items() if row[name] is not None},
    )


@frozen
class SqlAnalyticsStore:
    _connection: AsyncConnection
    _table: Table = order_progress

    async def progress(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        rows = await select_among(self._connection, self._table.c.order_id, order_ids)
        return {row["order_id"]: progress_of(row) for row in rows}

    async def keep(self, progress: Sequence[OrderProgress]) -> None:
        await put(self._connection, self._table, [row_of_progress(it) for it in progress])


_SECOND_US = 1_000_000


_HALF = 10**8
_CENTS = Decimal("0.01")


@frozen
class SqlAnalyticsQueries:
    _database: Database

    async def per_minute(
        self, start: datetime, end: datetime, restaurant_id: str | None = None, *, limit: int | None = None
    ) -> Sequence[MinuteSales]:
        minute = order_progress.c.created_minute
        sales = _sales(minute).where(*_of(restaurant_id, Span(start, end))).limit(limit)
        return [
            MinuteSales(minute=datetime.fromtimestamp(row[0] * 60, UTC), **_sums(row))
            for row in await self._rows(sales)
        ]

    async def per_restaurant(
        self, restaurant_id: str | None = None, span: Span = ALWAYS, *, limit: int | None = None
    ) -> Sequence[RestaurantSales]:
        sales = await self._rows(_sales(order_progress.c.restaurant_id).where(*_of(restaurant_id, span)).limit(limit))
        return [RestaurantSales(restaurant_id=row[0], **_sums(row)) for row in sales]

    async def by_state(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> Mapping[OrderState, int]:
        state = order_progress.c.state
        states = select(state, func.count()).where(*_of(restaurant_id, span)).group_by(state)
        counted = {row[0]: row[1] for row in await self._rows(states)}
        return {state: counted.get(state, 0) for state in OrderState}

    async def time_in_states(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> Sequence[StateTime]:
        times = [await self._time_in(state, name, restaurant_id, span) for state, name in SPENT.items()]
        return [time for time in times if time is not None]

    async def cancellations(
        self, restaurant_id: str | None = None, span: Span = ALWAYS, *, limit: int | None = None
    ) -> Mapping[str, int]:
        reason, number = order_progress.c.cancel_reason, func.count()
        by_bytes = reason if self._database.backend == SQLITE else reason.collate("C")
        counted = (
            select(reason, number)
            .where(reason.is_not(None), *_of(restaurant_id, span))
            .group_by(reason)
            .order_by(number.desc(), by_bytes)
            .limit(limit)
        )
        return {row[0]: row[1] for row in await self._rows(counted)}

    async def delivery_times(self, restaurant_id: str | None = None, span: Span = ALWAYS) -> DeliveryTimes:
        minutes = order_progress.c.delivery_minutes
        counted = await self._rows(
            select(minutes, func.count()).where(minutes.is_not(None), *_of(restaurant_id, span)).group_by(minutes)
        )
        return delivery_times({row[0]: row[1] for row in counted})

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, OrderProgress]:
        async with self._database.reading() as connection:
            return await SqlAnalyticsStore(connection).progress(order_ids)

    async def derived_differ(self, order_ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        async with self._database.reading() as connection:
            rows = await select_among(connection, order_progress.c.order_id, order_ids)
        derived = ((row, row_of_progress(progress_of(row))) for row in rows)
        found = {row["order_id"]: [name for name in wanted if row[name] != wanted[name]] for row, wanted in derived}
        return {order_id: names for order_id, names in found.items() if names}

    async def _time_in(self, state: OrderState, name: str, restaurant_id: str | None, span: Span) -> StateTime | None:
        spent = order_progress.c[name]
        # The databases round divisions differently, but not remainders.
        second = (spent - spent % _SECOND_US).label("second")
        counted = await self._rows(
            select(second, func.count(), func.sum(spent))
            .where(spent.is_not(None), *_of(restaurant_id, span))
            .group_by(second)
        )
        if not counted:
            return None
        total = sum(int(row[2]) for row in counted)
        seconds = {row[0] // _SECOND_US: row[1] for row in counted}
        return state_time(state, timedelta(microseconds=total), seconds)

    async def _rows(self, query: Select[Any]) -> Sequence[Any]:
        return await self._database.rows(query)


def _of(restaurant_id: str | None, span: Span) -> Sequence[ColumnElement[bool]]:
    it = order_progress.c
    conditions = [] if restaurant_id is None else [it.restaurant_id == restaurant_id]
    if span.start is not None:  # the minutes have an index
        conditions += [it.created_minute >= _minutes(span.start), it.created_at >= span.start]
    if span.end is not None:
        conditions += [it.created_minute <= _minutes(span.end), it.created_at < span.end]
    return conditions


def _sales(key: ColumnElement[Any]) -> Select[Any]:
    it = order_progress.c
    cancelled = it.state == WITHOUT_REVENUE.value
    return (
        select(
            key,
            it.currency,
            func.count().label("orders"),
            func.sum(case((cancelled, 1), else_=0)).label("cancelled"),
            *_halves("gross", it.total_e4),
            *_halves("net", case((cancelled, 0), else_=it.total_e4)),
        )
        .group_by(key, it.currency)
        .order_by(key, it.currency)
    )


def _halves(name: str, number: ColumnElement[int]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return the sums of the high and the low digits: SQLite refuses a sum of 64 bits or more."""
    return func.sum(number // _HALF).label(f"{name}_high"), func.sum(number % _HALF).label(f"{name}_low")


def _sums(row: Any) -> dict[str, Any]:
    return {
        "currency": row.currency,
        "orders": row.orders,
        "cancelled": int(row.cancelled),
        "gross_revenue": _amount(row.gross_high, row.gross_low),
        "net_revenue": _amount(row.net_high, row.net_low),
    }


def _amount(high: int | Decimal, low: int | Decimal) -> Decimal:
    """Return the exact amount of so many ten-thousandths, with at least two decimals."""
    amount = EXACT.scaleb(Decimal(int(high) * _HALF + int(low)), -4)
    cents = EXACT.quantize(amount, _CENTS)
    return cents if cents == amount else amount


def _minutes(at: datetime) -> int:
    return int(minute_of(at).timestamp()) // 60
