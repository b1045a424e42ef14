"""Routes that export orders and figures as CSV. Rows are read, rendered and sent in steps, so memory is bounded."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from attrs import evolve
from litestar import Litestar, Request, get
from litestar.di import NamedDependency
from litestar.response import Stream

from ...application.orders.queries import OrderPage, OrderQuery, OrderSort
from ...domain.actor import Actor
from ...domain.errors import Unavailable
from . import analytics
from .analytics import End, Figures, FiguresSelection, Start
from .calls import Call
from .csv_rows import Columns, columns_of, csv_lines, order_columns
from .openapi import CSV, problems
from .order_filter import WANTED, RestaurantId
from .parts import PartsResponse
from .reads import PRIVATE, SLICE, STEP_BYTES, Sort

BYTE_ORDER_MARK = "\ufeff"
"""By this, spreadsheets know that a file is UTF-8."""
CHECKED_EVERY = 1.0
"""Seconds between two looks whether the caller still has its rights."""
ORDERS = order_columns()
SALES = columns_of("currency", "orders", "cancelled", "gross_revenue", "net_revenue")
EXPORTED: dict[str, tuple[Columns, str, str, Callable[..., Awaitable[Sequence[Any]]]]] = {
    "restaurants": (
        columns_of("restaurant_id") | SALES,
        "exportSalesPerRestaurant",
        "Export orders and revenue per restaurant as CSV",
        analytics.read_restaurants,
    ),
    "states": (
        columns_of("state", "orders", "left", "mean", "median", "p90"),
        "exportOrdersByState",
        "Export orders by state, and the time spent in each, as CSV",
        analytics.read_states,
    ),
    "cancellations": (
        columns_of("reason", "orders"),
        "exportCancellationsByReason",
        "Export cancelled orders by reason as CSV",
        analytics.read_cancellations,
    ),
    "deliveries": (
        columns_of("orders", "p50", "p90", "p99"),
        "exportDeliveryTimes",
        "Export delivery times as CSV",
        analytics.read_deliveries,
    ),
}
"""The figures of any span of time, by the name of their route: columns, operation id, summary, and what reads them."""

logger = logging.getLogger("orderflow.http")


class _BrokenOff(Exception):
    """Raised when an export ends before its last row."""


class CsvResponse(PartsResponse):
    """A file of rows. If they end early, the connection is broken off, so that no part looks like the whole file."""

    def __init__(self, name: str, columns: Columns, steps: AsyncIterator[Iterable[object]]) -> None:
        headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{name}.csv"'}
        super().__init__(_sent(columns, steps), media_type=f"{CSV}; charset=utf-8", headers=headers)

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **options: Any) -> Any:
        response = super().to_asgi_response(app, request, **options)

        async def whole(scope: Any, receive: Any, send: Any) -> None:
            with suppress(_BrokenOff):  # a server closes the connection of a response that has no end
                await response(scope, receive, send)

        return whole


async def _sent(columns: Columns, steps: AsyncIterator[Iterable[object]]) -> AsyncIterator[bytes]:
    text = BYTE_ORDER_MARK + csv_lines([[*columns]])
    async for step in steps:
        for view in step:
            text += csv_lines([[value(view) for value in columns.values()]])
            if len(text) >= STEP_BYTES:
                yield text.encode(errors="backslashreplace")
                text = ""
                await asyncio.sleep(0)  # other requests' turn
    yield text.encode(errors="backslashreplace")


@get(
    "/orders.csv",
    media_type=CSV,
    responses=problems(400, 401, 403, 500, 503),
    dependencies=WANTED,
    operation_id="exportOrders",
    summary="Export orders as CSV",
    opt={"kind": "exports"},
)
async def export_orders(call: NamedDependency[Call], wanted: NamedDependency[OrderQuery], sort: Sort = None) -> Stream:
    """Return all orders that ``GET /v1/orders`` lists with these conditions, one a row, without a limit.

    The connection is broken off if the export ends early. Texts that a spreadsheet would compute begin with an
    apostrophe.
    """
    query = evolve(wanted, sort=OrderSort.NEWEST if sort is None else OrderSort.parse(sort), limit=SLICE)
    first = await _slice(call, query)  # what is refused or unavailable is a problem document
    return CsvResponse("orders", ORDERS, _orders(call, query, first))


async def _slice(call: Call, query: OrderQuery) -> OrderPage:
    async with call.api.list_turns:
        return await call.use_cases.list_orders(query, by=call.by)


async def _orders(call: Call, query: OrderQuery, page: OrderPage) -> AsyncIterator[Iterable[object]]:
    checked = monotonic()
    while True:
        yield (call.use_cases.view(order, call.by) for order in page.orders)
        if page.next_cursor is None:
            return
        if call.authorized is not None and monotonic() - checked >= CHECKED_EVERY:
            if not await call.authorized():
                raise _BrokenOff
            checked = monotonic()
        try:
            page = await _slice(call, evolve(query, cursor=page.next_cursor))
        except Unavailable as e:
            if call.api.log_limit.admits("an export ended early"):
                logger.warning("an export ended early", extra={"backend": e.backend, "problem": e.problem})
            raise _BrokenOff from e


@get(
    "/minutes.csv",
    media_type=CSV,
    responses=analytics.REFUSALS,
    operation_id="exportSalesPerMinute",
    summary="Export orders and revenue per minute as CSV",
    opt={"kind": "exports"},
)
async def export_minutes(
    request: Request[Actor, Any, Any],
    figures: NamedDependency[Figures],
    start: Start = None,
    end: End = None,
    restaurant_id: RestaurantId = None,
) -> Stream:
    """Return the rows of ``GET /v1/analytics/minutes``."""
    found = await analytics.read_minutes(figures, request.user, start, end, restaurant_id)
    return CsvResponse("minutes", columns_of("minute") | SALES, _steps(found))


def _export(name: str) -> Any:
    columns, operation_id, summary, read = EXPORTED[name]

    @analytics.of_a_span(
        f"/{name}.csv",
        media_type=CSV,
        operation_id=operation_id,
        summary=summary,
        description=f"Return the rows of `GET /v1/analytics/{name}`.",
        opt={"kind": "exports"},
    )
    async def export(selection: NamedDependency[FiguresSelection]) -> Stream:
        return CsvResponse(name, columns, _steps(await read(selection)))

    return export


async def _steps(rows: Sequence[object]) -> AsyncIterator[Iterable[object]]:
    yield rows


FIGURES = (export_minutes, *map(_export, EXPORTED))
"""The routes below ``/v1/analytics``."""
