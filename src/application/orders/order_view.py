"""The representation of an order for readers, which the API returns and the command line prints."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from attrs import frozen

from ...domain.actor import Actor
from ...domain.annotations import NO_ANNOTATIONS
from ...domain.consent import RestaurantOrders
from ...domain.events import OrderLine
from ...domain.order import Order
from ...domain.validation import Address


@frozen(kw_only=True)
class LineView:
    food_id: str
    food_name: str
    price: Decimal
    quantity: int
    discount: Decimal


@frozen(kw_only=True)
class AddressView:
    street: str
    city: str
    postal_code: str
    note: str


@frozen(kw_only=True)
class ActionView:
    name: str
    needs: tuple[str, ...]


@frozen(kw_only=True)
class OrderView:
    """Amounts are in units of ``currency``; times are UTC. The card token is never read back.

    Of the total, ``refundable`` can be refunded now, ``refund_requested`` is asked for and not decided,
    ``refund_declined`` was declined by the payment gateway, and ``refunded`` was paid back. ``allowed_actions`` are the
    reader's own at this moment. A reader without a part in the order gets no address and no annotations.
    """

    order_id: str
    version: int
    state: str
    user_id: str
    restaurant_id: str
    shipper_id: str | None
    order_details: tuple[LineView, ...]
    total_price: Decimal
    delivery_fee: Decimal
    currency: str
    payment_method: str
    payment_status: str
    refundable: Decimal
    refund_requested: Decimal
    refund_declined: Decimal
    refunded: Decimal
    address: AddressView | None
    customer_name: str | None
    customer_phone: str | None
    note: str | None
    metadata: Mapping[str, str]
    created_at: datetime
    updated_at: datetime
    estimated_at: datetime | None
    delivered_at: datetime | None
    delivery_minutes: int | None
    cancel_reason: str | None
    cancelled_by: str | None
    allowed_actions: tuple[ActionView, ...]


def line_views(lines: Iterable[OrderLine]) -> tuple[LineView, ...]:
    """Return the lines of an order as they are read."""
    return tuple(
        LineView(
            food_id=line.food_id,
            food_name=line.food_name,
            price=line.price.amount,
            quantity=line.quantity,
            discount=line.discount.amount,
        )
        for line in lines
    )


def view(order: Order, reader: Actor, restaurants: RestaurantOrders = RestaurantOrders.NONE) -> OrderView:
    """Return ``order`` for ``reader``; ``restaurants`` is what they may do without their customers."""
    visible = order.visible_to(reader)
    annotations = (order.annotations if visible else None) or NO_ANNOTATIONS
    return OrderView(
        order_id=order.id,
        version=order.version,
        state=order.state,
        user_id=order.customer_id,
        restaurant_id=order.restaurant_id,
        shipper_id=order.shipper_id,
        order_details=line_views(order.lines),
        total_price=order.total.amount,
        delivery_fee=order.delivery_fee.amount,
        currency=order.currency,
        payment_method=order.payment.method,
        payment_status=order.payment.status,
        refundable=order.refundable.amount,
        refund_requested=order.payment.refunds.requested,
        refund_declined=order.payment.refunds.declined,
        refunded=order.refunded.amount,
        address=_address(order.address) if visible else None,
        customer_name=annotations.customer_name,
        customer_phone=annotations.customer_phone,
        note=annotations.note,
        metadata=dict(annotations.metadata),
        created_at=order.created_at,
        updated_at=order.updated_at,
        estimated_at=order.estimated_at,
        delivered_at=order.delivered_at,
        delivery_minutes=order.delivery_minutes,
        cancel_reason=order.cancel_reason,
        cancelled_by=order.cancelled_by,
        allowed_actions=tuple(
            ActionView(name=a.name, needs=a.needs) for a in order.allowed_actions(reader, restaurants)
        ),
    )


def _address(address: Address | None) -> AddressView | None:
    if address is None:
        return None
    return AddressView(street=address.street, city=address.city, postal_code=address.postal_code, note=address.note)
