"""The stock of restaurants, and the reservations of orders."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

from ...domain.errors import InvalidInput
from ...domain.text import identifier

Food = tuple[str, str]
"""The ids of a restaurant and of one of its foods."""
MAX_STOCK = 1_000_000_000


@frozen(kw_only=True)
class StockItem:
    """The stock of one food; ``quantity`` may still be ordered."""

    restaurant_id: str
    food_id: str
    quantity: int


def check_stock(restaurant_id: str, food_id: str, quantity: int | None) -> None:
    """Check that a stock may be set to this. Raises InvalidInput."""
    identifier(restaurant_id, field="restaurantId")
    identifier(food_id, field="foodId")
    whole = isinstance(quantity, int) and not isinstance(quantity, bool)
    if quantity is not None and not (whole and 0 <= quantity <= MAX_STOCK):
        raise InvalidInput("quantity", f"{quantity!r}", f"a whole number, 0 to {MAX_STOCK}")


class ReservationStatus(StrEnum):
    RESERVED = "reserved"
    RELEASED = "released"
    SHORT = "short"


@frozen(kw_only=True)
class Reservation:
    """The stock that one order takes: ``taken`` is the quantity by food, of the foods that have a stock.

    An order that is short takes nothing; ``missing`` are the foods of which there is too little. ``outcome`` is the
    outcome of cancelling it, empty until then. ``correlation_id`` and ``traceparent`` are those of the event that
    created the order.
    """

    order_id: str
    restaurant_id: str
    status: ReservationStatus
    taken: Mapping[str, int] = field(factory=dict)
    missing: tuple[str, ...] = ()
    outcome: str = ""
    settled_at: datetime | None = None
    correlation_id: str = ""
    traceparent: str = ""
