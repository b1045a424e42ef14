"""Routes that read orders."""

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Response, get
from litestar.params import Parameter
from msgspec import ValidationError, convert

from ...application.order_view import OrderView, view
from ...application.reading import DEFAULT_PAGE, MAX_PAGE, OrderQuery
from ...application.use_cases import UseCases
from ...domain.errors import InvalidInput
from ...domain.identifiers import identifier
from ...domain.lifecycle import Actor, OrderState
from .answers import OrderPageView, PastOrderView, TimelineView, event_view, past_view, render
from .conditions import etag, not_modified
from .openapi import CORRELATION, ETAG, NOT_MODIFIED, problems

PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization, X-Actor"}
"""What a caller sees depends on who it is, so nobody else's cache may answer for it."""


def _who(of: str, name: str) -> Any:
    return Parameter(query=name, required=False, description=f"only orders of this {of}")


def _when(name: str, description: str) -> Any:
    return Parameter(
        query=name,
        required=False,
        description=f"{description} (RFC 3339 with a zone)",
        schema_extra={"format": "date-time"},
    )


@get(
    "/orders/{order_id:str}",
    response_headers=[ETAG, CORRELATION],
    responses=NOT_MODIFIED | problems(400, 401, 404, 500, 503),
    operation_id="getOrder",
    summary="One order, as it is or as it was",
    opt={"query": {"asOf"}},
)
async def get_order(
    order: str,
    by: Actor,
    use_cases: UseCases,
    as_of: Annotated[str | None, _when("asOf", "the order as its events told it at this time")] = None,
    if_none_match: Annotated[
        str | None, Parameter(header="If-None-Match", required=False, description="an ETag that the caller has")
    ] = None,
) -> Response[OrderView | PastOrderView]:
    """With If-None-Match and the order's ETag: 304 as long as nothing has changed."""
    if as_of is not None:
        return _json(past_view(await use_cases.as_of(order, moment(as_of, "asOf"), by=by)))
    found = await use_cases.get_order(order, by=by)
    tagged = {**PRIVATE, "ETag": etag(found.version)}
    if not_modified(if_none_match, found.version):
        return Response(None, status_code=304, headers=tagged)  # type: ignore[arg-type]
    return _json(view(found, by), tagged)


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
    by: Actor,
    use_cases: UseCases,
    customer_id: Annotated[str | None, _who("customer", "customerId")] = None,
    user_id: Annotated[str | None, _who("customer", "userId")] = None,
    restaurant_id: Annotated[str | None, _who("restaurant", "restaurantId")] = None,
    shipper_id: Annotated[str | None, _who("shipper", "shipperId")] = None,
    in_state: Annotated[
        str | None,
        Parameter(
            query="state",
            required=False,
            description="only in this state",
            schema_extra={"enum": [*OrderState, "cancel"]},
        ),
    ] = None,
    created_from: Annotated[str | None, _when("createdFrom", "created then or later")] = None,
    created_until: Annotated[str | None, _when("createdUntil", "created before then")] = None,
    limit: Annotated[
        str | None,
        Parameter(
            required=False,
            description=f"1 to {MAX_PAGE}, {DEFAULT_PAGE} if not given",
            schema_extra={"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
        ),
    ] = None,
    cursor: Annotated[str | None, Parameter(required=False, description="nextCursor of the page before")] = None,
) -> Response[OrderPageView]:
    """Every condition that is given must hold. Everybody but an admin sees only their own."""
    if None not in (customer_id, user_id) and customer_id != user_id:
        raise InvalidInput("userId", "it is another than customerId", "one of the two")
    page = await use_cases.list_orders(
        OrderQuery(
            customer_id=_identifier(customer_id, "customerId") or _identifier(user_id, "userId"),
            restaurant_id=_identifier(restaurant_id, "restaurantId"),
            shipper_id=_identifier(shipper_id, "shipperId"),
            state=None if in_state is None else OrderState.parse(in_state),
            created_from=None if created_from is None else moment(created_from, "createdFrom"),
            created_until=None if created_until is None else moment(created_until, "createdUntil"),
            cursor=cursor,
            limit=DEFAULT_PAGE if limit is None else _count(limit),
        ),
        by=by,
    )
    return _json(OrderPageView(orders=tuple(view(one, by) for one in page.orders), next_cursor=page.next_cursor))


@get(
    "/orders/{order_id:str}/timeline",
    response_headers=[CORRELATION],
    responses=problems(400, 401, 404, 500, 503),
    operation_id="timeline",
    summary="All events of an order",
    opt={"query": set()},
)
async def timeline(order: str, by: Actor, use_cases: UseCases) -> Response[TimelineView]:
    """Each exactly as it stands on the topic, with its address in the log."""
    deliveries = await use_cases.timeline(order, by=by)
    return _json(TimelineView(order_id=order, events=tuple(event_view(one) for one in deliveries)))


def moment(text: str, field: str) -> datetime:
    """A time with a zone, in UTC. Raises InvalidInput."""
    try:
        found = convert(text, datetime)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValidationError, OverflowError) as e:
        raise _no_moment(text, field) from e
    raise _no_moment(text, field)


def _no_moment(text: str, field: str) -> InvalidInput:
    allowed = "RFC 3339 with a zone, such as 2024-01-01T12:00:00Z (a + is written %2B)"
    return InvalidInput(field, f"{text[:80]!r} is no time with a zone", allowed)


def _identifier(text: str | None, field: str) -> str | None:
    return None if text is None else identifier(text, field=field)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise InvalidInput("limit", f"{text[:80]!r} is no whole number", f"1 to {MAX_PAGE}")
    return int(text)


def _json(view: object, headers: dict[str, str] = PRIVATE) -> Response[Any]:
    return Response(render(view), media_type="application/json", headers=headers)
