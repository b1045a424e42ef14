"""Queries for orders, and pages of results."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from attrs import field, frozen

from ...domain.errors import InvalidInput
from ...domain.lifecycle import LATE_AFTER, OrderState
from ...domain.order import Order
from ...domain.text import identifier, shown, text
from ...domain.validation import utc

MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_SEARCH = 100
"""Characters of the text of a search."""
MOST_COUNTED = 10_000
"""Orders of one state that are counted; beyond, there are more."""
OPEN = tuple(state for state in OrderState if not state.terminal)


@frozen(kw_only=True)
class OpenOrders:
    """The number of ``orders`` in one state; the one that has not changed for the longest changed at ``since``."""

    orders: int
    since: datetime


class OrderSort(StrEnum):
    """The order of a page. ``longest_in_state`` has the orders that are not final by their last change."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LONGEST_IN_STATE = "longest_in_state"

    @classmethod
    def parse(cls, text: str) -> "OrderSort":
        """Return the sort of that name. Raises InvalidInput."""
        try:
            return cls(text)
        except ValueError:
            raise InvalidInput("sort", f"{shown(text)} is no order of a list", ", ".join(cls)) from None


def _sort(given: OrderSort | str) -> OrderSort:
    return OrderSort.parse(given)


def _states(given: OrderState | str | Iterable[OrderState | str] | None) -> tuple[OrderState, ...]:
    """Return the states, which may be given by name, each once. Raises InvalidInput."""
    if given is None:
        return ()
    several = [given] if isinstance(given, str) or not isinstance(given, Iterable) else given
    wanted = {OrderState.parse(state) for state in several}
    return tuple(state for state in OrderState if state in wanted)


@frozen(kw_only=True)
class OrderQuery:
    """Every condition that is given must hold. ``created_from`` is inclusive, ``created_until`` exclusive.

    ``q`` is an order's id or its beginning, a restaurant's or customer's id, words of annotations, or a telephone
    number; of an order without ``annotations_visible`` to the reader, not the last two. ``state`` may be several.
    ``late`` orders are not final, and have at ``at`` passed their estimate or not changed for LATE_AFTER.
    ``available`` orders have no shipper and may be taken by one. ``cursor`` is the opaque ``next_cursor`` of the
    previous page; it belongs to the same conditions and ``sort``. ``limit`` is 1 to 200. Raises InvalidInput.
    """

    customer_id: str | None = None
    restaurant_id: str | None = None
    shipper_id: str | None = None
    state: tuple[OrderState, ...] = field(default=(), converter=_states)
    available: bool = False
    q: str | None = None
    annotations_visible: bool = True
    late: bool = False
    at: datetime | None = None
    sort: OrderSort = field(default=OrderSort.NEWEST, converter=_sort)
    created_from: datetime | None = None
    created_until: datetime | None = None
    cursor: str | None = None
    limit: int = DEFAULT_PAGE

    def __attrs_post_init__(self) -> None:
        for name in ("customer_id", "restaurant_id", "shipper_id"):
            if (value := getattr(self, name)) is not None:
                identifier(value, field=name.replace("_id", "Id"))
        for name, flag in (("available", self.available), ("late", self.late)):
            if not isinstance(flag, bool):
                raise InvalidInput(name, f"it is {shown(flag)}", "True or False")
        if self.available and self.shipper_id is not None:
            raise InvalidInput("shipperId", "an available order has no shipper", "available or shipperId, not both")
        if self.q is not None:
            text(self.q, field="q", at_least=1, at_most=MAX_SEARCH)
        if self.state and not self.states:
            kind = "late" if self.late else "longest in its state"
            raise InvalidInput("state", f"an order that is {self.state[0]} is never {kind}", ", ".join(OPEN))
        if isinstance(self.limit, bool) or not isinstance(self.limit, int) or not 1 <= self.limit <= MAX_PAGE:
            raise InvalidInput("limit", shown(self.limit), f"a whole number, 1 to {MAX_PAGE}")
        for name, moment in (("createdFrom", self.created_from), ("createdUntil", self.created_until)):
            if moment is not None:
                utc(moment, field=name)

    @property
    def states(self) -> tuple[OrderState, ...]:
        """The states in which an order may be; empty for all."""
        if self.late or self.sort is OrderSort.LONGEST_IN_STATE:
            return tuple(state for state in OPEN if state in (self.state or OPEN))
        return self.state

    @property
    def filter(self) -> str:
        """A digest of the conditions and the sort, by which a cursor belongs to them."""
        conditions = (
            self.customer_id,
            self.restaurant_id,
            self.shipper_id,
            self.state,
            self.available,
            self.q,
            self.annotations_visible,
            self.late,
            self.sort,
            self.created_from and self.created_from.timestamp(),
            self.created_until and self.created_until.timestamp(),
        )
        return sha256(repr(conditions).encode()).hexdigest()[:16]

    def sort_time(self, order: Order) -> datetime:
        """Return the time by which ``order`` is sorted; orders of one time are sorted by id."""
        return order.updated_at if self.sort is OrderSort.LONGEST_IN_STATE else order.created_at

    def is_late(self, order: Order) -> bool:
        """Return whether ``order`` is late at ``at``."""
        if self.at is None or order.state.terminal:
            return False
        past_estimate = order.estimated_at is not None and order.estimated_at < self.at
        return past_estimate or order.updated_at < self.at - LATE_AFTER[order.state]


@frozen(kw_only=True)
class StateCount:
    """The number of ``orders`` in a state; with ``more``, there are more than were counted."""

    state: OrderState
    orders: int
    more: bool = False


@frozen
class OrderPage:
    """In the order of the query's sort (by its time, then id). ``next_cursor`` is None on the last page."""

    orders: tuple[Order, ...]
    next_cursor: str | None = None
