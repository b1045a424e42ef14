"""Renders views as JSON in camelCase, with amounts as exact numbers and times in UTC."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from attrs import AttrsInstance, fields, frozen, has
from msgspec import Raw
from msgspec.json import Encoder

from ...adapters.wire.fields import plain_value
from ...application.event_log.records import Delivery
from ...application.orders.order_view import LineView, OrderView, line_views
from ...application.orders.queries import StateCount
from ...domain.history import OrderFacts
from ...domain.lifecycle import LATE_AFTER, OrderState

V = TypeVar("V", bound=AttrsInstance)

_JSON = Encoder(decimal_format="number", enc_hook=plain_value)
_SCALARS = frozenset({bool, Decimal, datetime, int, str, type(None)})


@frozen(kw_only=True)
class OrderPageView:
    """A page of orders. ``nextCursor`` is the cursor of the next page, null on the last one."""

    orders: tuple[OrderView, ...]
    next_cursor: str | None


@frozen(kw_only=True)
class CountView:
    """The number of ``orders`` in a state; with ``more``, there are more than were counted.

    ``lateAfterSeconds`` is the time without any change after which an order in this state is late.
    """

    state: str
    orders: int
    more: bool
    late_after_seconds: int | None


@frozen(kw_only=True)
class CountsView:
    counts: tuple[CountView, ...]


@frozen(kw_only=True)
class EventView:
    """One event of an order, exactly as published to the topic, with its address in the log."""

    sequence: int
    bucket: int
    position: int
    correlation_id: str
    event: dict[str, Any]


@frozen(kw_only=True)
class TimelineView:
    """All events of an order, by sequence."""

    order_id: str
    events: tuple[EventView, ...]


@frozen(kw_only=True)
class PastOrderView:
    """An order as of a time, from its events. It has no address and payment method, which events do not contain."""

    order_id: str
    version: int
    state: str
    user_id: str
    restaurant_id: str
    shipper_id: str | None
    order_details: tuple[LineView, ...]
    total_price: Decimal
    currency: str
    payment_status: str
    created_at: datetime
    updated_at: datetime
    delivered_at: datetime | None
    delivery_minutes: int | None
    cancel_reason: str | None
    cancelled_by: str | None


def event_view(delivery: Delivery) -> EventView:
    return view_of(EventView, delivery.record, event=Raw(delivery.record.body))


def counts_view(counts: Iterable[StateCount]) -> CountsView:
    return CountsView(
        counts=tuple(view_of(CountView, each, late_after_seconds=late_after_seconds(each.state)) for each in counts)
    )


def late_after_seconds(state: OrderState) -> int | None:
    """Return the seconds without any change after which an order in ``state`` is late; None if it never is."""
    after = LATE_AFTER.get(state)
    return None if after is None else int(after.total_seconds())


def past_view(facts: OrderFacts) -> PastOrderView:
    return view_of(
        PastOrderView,
        facts,
        user_id=facts.customer_id,
        order_details=line_views(facts.lines),
        total_price=facts.total.amount,
        currency=facts.total.currency,
    )


def view_of(kind: type[V], source: object, /, **others: object) -> V:
    """Build a view of ``kind`` from the fields of ``source`` with the same names, and from ``others``."""
    same = {field.name: getattr(source, field.name) for field in fields(kind) if field.name not in others}
    build: Callable[..., V] = kind
    return build(**same, **others)


def render(view: object) -> bytes:
    """Render ``view`` as JSON. Equal views give equal bytes."""
    return _JSON.encode(_plain(view))


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@cache
def _names(kind: type) -> Sequence[tuple[str, str]] | None:
    """Return the fields of a view and their names in JSON, or None if ``kind`` is not a view."""
    return [(field.name, camel(field.name)) for field in fields(kind)] if has(kind) else None


def _plain(value: object) -> object:
    kind: Any = type(value)
    if kind in _SCALARS:
        return value
    if (names := _names(kind)) is not None:
        plain = {}
        for name, json_name in names:
            item = getattr(value, name)
            plain[json_name] = item if type(item) in _SCALARS else _plain(item)
        return plain
    if kind is tuple:
        return [_plain(item) for item in value]  # type: ignore[attr-defined]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    return value
