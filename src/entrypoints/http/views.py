"""What the door answers: views as JSON in camelCase, amounts as exact numbers, times in UTC."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from attrs import fields, frozen, has
from msgspec import Raw
from msgspec.json import Encoder

from ...application.event_log.records import Delivery
from ...application.orders.order_view import LineView, OrderView
from ...domain.history import OrderFacts

_JSON = Encoder(decimal_format="number")
_AS_THEY_ARE = frozenset({bool, Decimal, datetime, int, str, type(None)})


@frozen(kw_only=True)
class OrderPageView:
    """Orders newest first. ``nextCursor`` asks for the next page; null on the last."""

    orders: tuple[OrderView, ...]
    next_cursor: str | None


@frozen(kw_only=True)
class EventView:
    """One event of an order: ``event`` exactly as it stands on the topic, and its address in the log."""

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
    """An order as its events told it at a moment. What no event tells (address, method of payment) is not among it."""

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
    record = delivery.record
    return EventView(
        sequence=record.sequence,
        bucket=record.bucket,
        position=record.position,
        correlation_id=record.correlation_id,
        event=Raw(record.body),  # type: ignore[arg-type]
    )


def past_view(told: OrderFacts) -> PastOrderView:
    return PastOrderView(
        order_id=told.order_id,
        version=told.version,
        state=told.state,
        user_id=told.customer_id,
        restaurant_id=told.restaurant_id,
        shipper_id=told.shipper_id,
        order_details=tuple(
            LineView(
                food_id=line.food_id,
                food_name=line.food_name,
                price=line.price.amount,
                quantity=line.quantity,
                discount=line.discount.amount,
            )
            for line in told.lines
        ),
        total_price=told.total.amount,
        currency=told.total.currency,
        payment_status=told.payment_status,
        created_at=told.created_at,
        updated_at=told.updated_at,
        delivered_at=told.delivered_at,
        delivery_minutes=told.delivery_minutes,
        cancel_reason=told.cancel_reason,
        cancelled_by=told.cancelled_by,
    )


def render(view: object) -> bytes:
    """``view`` as JSON. The same view gives the same bytes."""
    return _JSON.encode(_plain(view))


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


@cache
def _names(kind: type) -> Sequence[tuple[str, str]] | None:
    """The fields of a view and their names in JSON; None for what is no view."""
    return [(field.name, camel(field.name)) for field in fields(kind)] if has(kind) else None


def _plain(value: object) -> object:
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if (names := _names(kind)) is not None:
        return {told: _plain(getattr(value, name)) for name, told in names}
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(one) for one in value]
    return value
