"""Routes that read orders."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.di import NamedDependency as Given
from litestar.openapi.spec.enums import OpenAPIType

from ...application.orders.order_view import OrderView, view
from ...application.orders.queries import DEFAULT_PAGE, MAX_PAGE, OrderQuery
from ...application.orders.use_cases import UseCases
from ...domain.actor import Actor
from ...domain.errors import InvalidInput
from ...domain.lifecycle import OrderState
from .etag import etag, not_modified
from .openapi import CORRELATION, ETAG, NOT_MODIFIED, problems
from .parameters import count, header, moment, query, somebody, time
from .views import OrderPageView, PastOrderView, TimelineView, event_view, past_view, render

PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-Actor"}
"""What a caller sees depends on who it is, so nobody else's cache may answer for it."""


@get(
    "/orders/{order_id:str}",
    response_headers=[ETAG, CORRELATION],
    responses=NOT_MODIFIED | problems(400, 401, 404, 500, 503),
    operation_id="getOrder",
    summary="One order, as it is or as it was",
    opt={"query": {"asOf"}},
)
async def get_order(
    order: Given[str],
    by: Given[Actor],
    use_cases: Given[UseCases],
    as_of: Annotated[str | None, time("asOf", "the order as its events told it at this time")] = None,
    if_none_match: Annotated[str | None, header("If-None-Match", "an ETag that the caller has")] = None,
) -> Response[OrderView | PastOrderView]:
    """With If-None-Match and the order's ETag: 304 as long as nothing has changed."""
    if as_of is not None:
        return answered(past_view(await use_cases.as_of(order, moment(as_of, "asOf"), by=by)))
    found = await use_cases.get_order(order, by=by)
    tagged = {**PRIVATE, "ETag": etag(found.version)}
    if not_modified(if_none_match, found.version):
        return Response(None, status_code=304, headers=tagged)  # type: ignore[arg-type]
    return answered(view(found, by), tagged)


@get(
    "/orders",
    response_headers=[CORRELATION],
    responses=problems(400, 401, 500, 503),
    operation_id="listOrders",
    summary="Orders, newest first, a page at a time",
    opt={
        "query": {
            "customerId",
            "userId",
            "restaurantId",
            "shipperId",
            "state",
            "createdFrom",
            "createdUntil",
            "limit",
            "cursor",
        }
    },
)
async def list_orders(
    by: Given[Actor],
    use_cases: Given[UseCases],
    customer_id: Annotated[str | None, query("customerId", "only orders of this customer")] = None,
    user_id: Annotated[str | None, query("userId", "only orders of this customer")] = None,
    restaurant_id: Annotated[str | None, query("restaurantId", "only orders of this restaurant")] = None,
    shipper_id: Annotated[str | None, query("shipperId", "only orders of this shipper")] = None,
    in_state: Annotated[
        str | None,
        query("state", "only in this state", enum=[*OrderState, "cancel"]),
    ] = None,
    created_from: Annotated[str | None, time("createdFrom", "created then or later")] = None,
    created_until: Annotated[str | None, time("createdUntil", "created before then")] = None,
    limit: Annotated[
        str | None,
        query(
            "limit",
            f"1 to {MAX_PAGE}, {DEFAULT_PAGE} if not given",
            type=OpenAPIType.INTEGER,
            minimum=1,
            maximum=MAX_PAGE,
        ),
    ] = None,
    cursor: Annotated[str | None, query("cursor", "nextCursor of the page before")] = None,
) -> Response[OrderPageView]:
    """Every condition that is given must hold. Everybody but an admin sees only their own."""
    if None not in (customer_id, user_id) and customer_id != user_id:
        raise InvalidInput("userId", "it is another than customerId", "one of the two")
    page = await use_cases.list_orders(
        OrderQuery(
            customer_id=somebody(customer_id, "customerId") or somebody(user_id, "userId"),
            restaurant_id=somebody(restaurant_id, "restaurantId"),
            shipper_id=somebody(shipper_id, "shipperId"),
            state=None if in_state is None else OrderState.parse(in_state),
            created_from=None if created_from is None else moment(created_from, "createdFrom"),
            created_until=None if created_until is None else moment(created_until, "createdUntil"),
            cursor=cursor,
            limit=DEFAULT_PAGE if limit is None else count(limit, "limit"),
        ),
        by=by,
    )
    return answered(OrderPageView(orders=tuple(view(one, by) for one in page.orders), next_cursor=page.next_cursor))


@get(
    "/orders/{order_id:str}/timeline",
    response_headers=[CORRELATION],
    responses=problems(400, 401, 404, 500, 503),
    operation_id="timeline",
    summary="All events of an order",
    opt={"query": set()},
)
async def timeline(order: Given[str], by: Given[Actor], use_cases: Given[UseCases]) -> Response[TimelineView]:
    """Each exactly as it stands on the topic, with its address in the log."""
    deliveries = await use_cases.timeline(order, by=by)
    return answered(TimelineView(order_id=order, events=tuple(event_view(one) for one in deliveries)))


def answered(view: object, headers: dict[str, str] = PRIVATE) -> Response[Any]:
    """``view`` as JSON, for its reader alone."""
    return Response(render(view), media_type="application/json", headers=headers)
