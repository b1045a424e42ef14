"""Listing orders, one page at a time, and counting them."""

from collections.abc import Sequence

from attrs import evolve, frozen

from ...domain.actor import Actor, Role, check_actor
from ...domain.errors import InvalidInput
from ..clock import Clock
from .ports import OrderQueries
from .queries import OrderPage, OrderQuery, StateCount

_ALLOW = "a request without it, unless ORDERFLOW_AVAILABLE_ORDERS is all"


@frozen
class ListOrders:
    """Lists orders, and counts them by state. Raises InvalidInput.

    Only an admin sees orders that they have no part in; if ``shippers_see_available``, shippers see those that they may
    take, when they ask for the ``available`` ones. An order is not found by annotations that the caller may not see.
    """

    views: OrderQueries
    clock: Clock
    shippers_see_available: bool = False

    async def __call__(self, query: OrderQuery, *, by: Actor) -> OrderPage:
        return await self.views.list(self.allowed(query, by))

    async def count(self, query: OrderQuery, *, by: Actor) -> Sequence[StateCount]:
        """Return the number of orders by state; for each state only as many as MOST_COUNTED."""
        return await self.views.count(self.allowed(query, by))

    def allowed(self, query: OrderQuery, by: Actor) -> OrderQuery:
        """Return ``query`` for what ``by`` may see. Raises InvalidInput."""
        check_actor(by)
        if not isinstance(query, OrderQuery):
            raise InvalidInput("query", f"it is a {type(query).__name__}", "an OrderQuery")
        query = evolve(query, at=self.clock(), annotations_visible=True)
        match by.role:
            case Role.CUSTOMER:
                query = evolve(query, customer_id=_own(query.customer_id, by))
            case Role.RESTAURANT:
                query = evolve(query, restaurant_id=_own(query.restaurant_id, by))
            case Role.SHIPPER if query.available:
                if not self.shippers_see_available:
                    raise InvalidInput("available", "shippers may not list the orders that they may take", _ALLOW)
                query = evolve(query, annotations_visible=False)
            case Role.SHIPPER:
                query = evolve(query, shipper_id=_own(query.shipper_id, by))
        return query


def _own(requested: str | None, by: Actor) -> str:
    if requested not in (None, by.id):
        raise InvalidInput(f"{by.role}Id", f"{requested!r} is not you", f"{by.id!r}, or leave it out")
    return by.id
