"""Routes that read orders."""

import asyncio
from typing import Annotated, Any

from attrs import evolve
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Raw

from ...adapters.paging import cursor_after
from ...application.orders.order_view import OrderView
from ...application.orders.queries import OrderQuery, OrderSort
from .calls import ORDER_CALL, Call
from .etag import etag, not_modified
from .openapi import ETAG, NOT_MODIFIED, problems
from .order_filter import WANTED
from .parameters import header, limit, parse_limit, parse_time, query, time
from .views import CountsView, OrderPageView, PastOrderView, TimelineView, counts_view, event_view, past_view, render

MAX_PAGE_BYTES = 1_000_000
"""Bytes after which a page of orders ends, so that clients that do not read cannot fill the memory."""
SLICE = 25
"""Orders that are read from the database together."""
STEP_BYTES = 30_000
"""Bytes of a page that are rendered without a pause."""
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-Actor"}
"""Responses depend on the caller, so shared caches must not store them."""
Sort = Annotated[str | None, query("sort", "the order of the list, newest first by default", enum=[*OrderSort])]


@get(
    "/orders/{order_id:str}",
    response_headers=[ETAG],
    responses=NOT_MODIFIED | problems(400, 401, 403, 404, 500, 503),
    dependencies=ORDER_CALL,
    operation_id="getOrder",
    summary="Get an order, as it is or as it was",
)
async def get_order(
    call: NamedDependency[Call],
    as_of: Annotated[str | None, time("asOf", "return the order as of this time")] = None,
    if_none_match: Annotated[str | None, header("If-None-Match", "the ETag of a version that the caller has")] = None,
) -> Response[OrderView | PastOrderView]:
    """Return 304 if If-None-Match contains the order's current ETag."""
    if as_of is not None:
        return json_response(past_view(await call.use_cases.as_of(call.order, parse_time(as_of, "asOf"), by=call.by)))
    found = await call.use_cases.get_order(call.order, by=call.by)
    headers = {**PRIVATE, "ETag": etag(found.version)}
    if not_modified(if_none_match, found.version):
        return Response(None, status_code=304, headers=headers)  # type: ignore[arg-type]
    return json_response(call.use_cases.view(found, call.by), headers)


@get(
    "/orders",
    responses=problems(400, 401, 403, 500, 503),
    dependencies=WANTED,
    operation_id="listOrders",
    summary="List or find orders",
)
async def list_orders(
    call: NamedDependency[Call],
    wanted: NamedDependency[OrderQuery],
    sort: Sort = None,
    page_size: Annotated[str | None, limit("the size of a page")] = None,
    cursor: Annotated[str | None, query("cursor", "nextCursor of the previous page")] = None,
) -> Response[OrderPageView]:
    """Return the orders that fulfil all conditions. Callers other than admins see only their own orders.

    With ``available=true`` a shipper sees the orders that it may take, without their addresses, if a setting allows it.
    """
    page = await _page(
        evolve(
            wanted,
            sort=OrderSort.NEWEST if sort is None else OrderSort.parse(sort),
            cursor=cursor,
            limit=parse_limit(page_size),
        ),
        call,
    )
    return json_response(page)


@get(
    "/orders:count",
    responses=problems(400, 401, 403, 500, 503),
    dependencies=WANTED,
    operation_id="countOrders",
    summary="Count orders by state",
)
async def count_orders(call: NamedDependency[Call], wanted: NamedDependency[OrderQuery]) -> Response[CountsView]:
    """Count the orders that ``GET /v1/orders`` lists with these conditions: of each state at most 10,000."""
    async with call.api.list_turns:
        counted = await call.use_cases.list_orders.count(wanted, by=call.by)
    return json_response(counts_view(counted))


@get(
    "/orders/{order_id:str}/timeline",
    responses=problems(400, 401, 403, 404, 500, 503),
    dependencies=ORDER_CALL,
    operation_id="timeline",
    summary="List all events of an order",
)
async def timeline(call: NamedDependency[Call]) -> Response[TimelineView]:
    """Return each event exactly as published to the topic, with its address in the log."""
    deliveries = await call.use_cases.timeline(call.order, by=call.by)
    return json_response(
        TimelineView(order_id=call.order, events=tuple(event_view(delivery) for delivery in deliveries))
    )


async def _page(query: OrderQuery, call: Call) -> OrderPageView:
    """Read and render a page in slices, in turn. It ends with the order that brings it to MAX_PAGE_BYTES."""
    rendered: list[bytes] = []
    size, cursor = 0, query.cursor
    async with call.api.list_turns:
        while True:
            part = evolve(query, limit=min(SLICE, query.limit - len(rendered)), cursor=cursor)
            page = await call.use_cases.list_orders(part, by=call.by)
            cursor = page.next_cursor
            for order in page.orders:
                rendered.append(render(call.use_cases.view(order, call.by)))
                size += len(rendered[-1])
                if size // STEP_BYTES > (size - len(rendered[-1])) // STEP_BYTES:
                    await asyncio.sleep(0)  # other requests' turn
                if size >= MAX_PAGE_BYTES and order is not page.orders[-1]:
                    cursor = cursor_after(order, part)
                    break
            if cursor is None or size >= MAX_PAGE_BYTES or len(rendered) == query.limit:
                raw: Any = tuple(Raw(each) for each in rendered)
                return OrderPageView(orders=raw, next_cursor=cursor)


def json_response(view: object, headers: dict[str, str] = PRIVATE, *, status: int = 200) -> Response[Any]:
    """Return ``view`` as JSON that shared caches must not store."""
    return Response(render(view), status_code=status, media_type="application/json", headers=headers)
