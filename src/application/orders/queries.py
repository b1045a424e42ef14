"""Queries for orders, and pages of results."""

from datetime import datetime

from attrs import frozen

from ...domain.errors import InvalidInput
from ...domain.lifecycle import OrderState
from ...domain.order import Order
from ...domain.text import identifier

MAX_PAGE = 200
DEFAULT_PAGE = 50


@frozen(kw_only=True)
class OpenOrders:
    """The number of ``orders`` in one state; the one that has not changed for the longest changed at ``since``."""

    orders: int
    since: datetime


@frozen(kw_only=True)
class OrderQuery:
    """Every condition that is given must hold. ``created_from`` is inclusive, ``created_until`` exclusive.

    ``available`` orders have no shipper and may be taken by one. ``cursor`` is the opaque ``next_cursor`` of the
    previous page; ``limit`` is 1 to 200. Raises InvalidInput.
    """

    customer_id: str | None = None
    restaurant_id: str | None = None
    shipper_id: str | None = None
    state: OrderState | None = None
    available: bool = False
    created_from: datetime | None = None
    created_until: datetime | None = None
    cursor: str | None = None
    limit: int = DEFAULT_PAGE

    def __attrs_post_init__(self) -> None:
        for field in ("customer_id", "restaurant_id", "shipper_id"):
            if (value := getattr(self, field)) is not None:
                identifier(value, field=field.replace("_id", "Id"))
        if self.available and self.shipper_id is not None:
            raise InvalidInput("shipperId", "an available order has no shipper", "available or shipperId, not both")
        if not 1 <= self.limit <= MAX_PAGE:
            raise InvalidInput("limit", str(self.limit), f"1 to {MAX_PAGE}")
        for field, moment in (("createdFrom", self.created_from), ("createdUntil", self.created_until)):
            if moment is not None and moment.tzinfo is None:
                raise InvalidInput(field, f"{moment.isoformat()} has no zone", "RFC 3339 with a zone")


@frozen
class OrderPage:
    """Newest first (by creation, then id). ``next_cursor`` is None on the last page."""

    orders: tuple[Order, ...]
    next_cursor: str | None = None
