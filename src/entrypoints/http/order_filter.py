"""The parameters by which orders are found."""

from typing import Annotated

from litestar.di import Provide
from litestar.openapi.spec.enums import OpenAPIType

from ...application.orders.queries import MAX_SEARCH, OrderQuery
from ...domain.errors import InvalidInput
from ...domain.lifecycle import OrderState
from .parameters import parse_flag, parse_identifier, parse_time, query, time

CustomerId = Annotated[str | None, query("customerId", "only orders of this customer")]
UserId = Annotated[str | None, query("userId", "only orders of this customer")]
RestaurantId = Annotated[str | None, query("restaurantId", "only orders of this restaurant")]
ShipperId = Annotated[str | None, query("shipperId", "only orders of this shipper")]
State = Annotated[list[str] | None, query("state", "only orders in this state, or in one of several")]
Available = Annotated[str | None, query("available", "only orders that a shipper may take", type=OpenAPIType.BOOLEAN)]
Late = Annotated[
    str | None,
    query("late", "only orders past their estimate, or unchanged for too long", type=OpenAPIType.BOOLEAN),
]
Text = Annotated[
    str | None,
    query(
        "q",
        "only orders with this: the beginning of an id, the id of a restaurant or customer, words of the customer's "
        "name or of metadata, a telephone number",
        minLength=1,
        maxLength=MAX_SEARCH,
    ),
]
CreatedFrom = Annotated[str | None, time("createdFrom", "only orders created at or after this time")]
CreatedUntil = Annotated[str | None, time("createdUntil", "only orders created before this time")]


def parse_filter(
    customer_id: CustomerId = None,
    user_id: UserId = None,
    restaurant_id: RestaurantId = None,
    shipper_id: ShipperId = None,
    in_state: State = None,
    available: Available = None,
    late: Late = None,
    q: Text = None,
    created_from: CreatedFrom = None,
    created_until: CreatedUntil = None,
) -> OrderQuery:
    """Return the query with these parameters. Raises InvalidInput."""
    if None not in (customer_id, user_id) and customer_id != user_id:
        raise InvalidInput("userId", "it differs from customerId", "one of the two")
    return OrderQuery(
        customer_id=parse_identifier(customer_id, "customerId") or parse_identifier(user_id, "userId"),
        restaurant_id=parse_identifier(restaurant_id, "restaurantId"),
        shipper_id=parse_identifier(shipper_id, "shipperId"),
        state=tuple(map(OrderState.parse, in_state or ())),
        available=available is not None and parse_flag(available, "available"),
        late=late is not None and parse_flag(late, "late"),
        q=q,
        created_from=None if created_from is None else parse_time(created_from, "createdFrom"),
        created_until=None if created_until is None else parse_time(created_until, "createdUntil"),
    )


WANTED = {"wanted": Provide(parse_filter, sync_to_thread=False)}
"""The dependency of a route that finds orders: the query with its parameters."""
