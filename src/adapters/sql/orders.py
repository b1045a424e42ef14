"""Orders as rows."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import asdict
from sqlalchemy import (
    JSON,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    RowMapping,
    Table,
    Text,
    and_,
    text,
)

from ...domain.annotations import Annotations
from ...domain.events import OrderLine
from ...domain.lifecycle import ASSIGNABLE, OrderState
from ...domain.money import Money
from ...domain.order import Order
from ...domain.payment import NO_REFUNDS, Payment, PaymentMethod, PaymentStatus
from ...domain.refund import Refunds
from ...domain.validation import Address
from .engines import to_json
from .types import DecimalAmount, Identifier, Row, Timestamp, metadata, partial_index, stored_time

orders = Table(
    "orders",
    metadata,
    Column("id", Identifier, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("customer_id", Identifier, nullable=False),
    Column("restaurant_id", Identifier, nullable=False),
    Column("shipper_id", Identifier),
    Column("lines", JSON, nullable=False),
    Column("delivery_fee", DecimalAmount, nullable=False),
    Column("currency", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("payment_status", Text, nullable=False),
    Column("card_token", Text),
    Column("address", JSON(none_as_null=True)),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("estimated_at", Timestamp),
    Column("delivered_at", Timestamp),
    Column("delivery_minutes", Integer),
    Column("cancel_reason", Text),
    Column("cancelled_by", Text),
    Column("refund_requested", DecimalAmount),
    Column("refund_declined", DecimalAmount),
    Column("refunded", DecimalAmount),
    Column("annotations", JSON(none_as_null=True)),
    PrimaryKeyConstraint("id"),
)
Index(None, orders.c.created_at, orders.c.id)
Index(None, orders.c.customer_id, orders.c.created_at, orders.c.id)
Index(None, orders.c.restaurant_id, orders.c.created_at, orders.c.id)
Index(None, orders.c.state, orders.c.created_at, orders.c.id)
partial_index(None, orders.c.shipper_id, orders.c.created_at, orders.c.id, where=text("shipper_id IS NOT NULL"))
AVAILABLE = and_(orders.c.shipper_id.is_(None), orders.c.state.in_([state.value for state in ASSIGNABLE]))
"""The condition of orders that wait for a shipper."""


CHANGING = [
    "version",
    "state",
    "shipper_id",
    "payment_status",
    "updated_at",
    "estimated_at",
    "delivered_at",
    "delivery_minutes",
    "cancel_reason",
    "cancelled_by",
    "refund_requested",
    "refund_declined",
    "refunded",
]
"""The columns that change after an order was placed. No behaviour of an order changes the others, so a change
does not write them; it would bring back what was erased meanwhile."""


def row_of(order: Order) -> Row:
    """Return the values of the ``orders`` row, in the order of its columns and in their stored form."""
    lines = [
        {
            "food_id": line.food_id,
            "food_name": line.food_name,
            "price": format(line.price.amount, "f"),
            "quantity": line.quantity,
            "discount": format(line.discount.amount, "f"),
        }
        for line in order.lines
    ]
    version, state, shipper_id, payment_status, updated_at, *outcome = changes_of(order)
    return (
        order.id,
        version,
        state,
        order.customer_id,
        order.restaurant_id,
        shipper_id,
        to_json(lines),
        format(order.delivery_fee.amount, "f"),
        order.currency,
        order.payment.method.value,
        payment_status,
        order.payment.card_token,
        None if order.address is None else to_json(asdict(order.address)),
        updated_at if order.created_at is order.updated_at else stored_time(order.created_at),
        updated_at,
        *outcome,
        None if order.annotations is None else to_json(_stored(order.annotations)),
    )


def _stored(annotations: Annotations) -> dict[str, Any]:
    return {**asdict(annotations), "metadata": dict(annotations.metadata)}


def changes_of(order: Order) -> Row:
    """Return the values of the CHANGING columns in their stored form."""
    refunds = order.payment.refunds
    return (
        order.version,
        order.state.value,
        order.shipper_id,
        order.payment.status.value,
        stored_time(order.updated_at),
        None if order.estimated_at is None else stored_time(order.estimated_at),
        None if order.delivered_at is None else stored_time(order.delivered_at),
        order.delivery_minutes,
        order.cancel_reason,
        order.cancelled_by,
        *(
            _NOTHING_REFUNDED
            if refunds is NO_REFUNDS
            else map(_amount, (refunds.requested, refunds.declined, refunds.paid_back))
        ),
    )


_NOTHING_REFUNDED = (None, None, None)


def _amount(amount: Decimal) -> str | None:
    return format(amount, "f") if amount else None


def _refunds_of(row: Mapping[str, Any] | RowMapping) -> Refunds:
    amounts = row["refund_requested"], row["refund_declined"], row["refunded"]
    if amounts == _NOTHING_REFUNDED:
        return NO_REFUNDS
    requested, declined, paid_back = (Decimal(0) if amount is None else amount for amount in amounts)
    return Refunds(requested=requested, declined=declined, paid_back=paid_back)


def order_of(row: Mapping[str, Any] | RowMapping) -> Order:
    """Return the order of ``row``."""
    currency = row["currency"]
    address, annotations = row["address"], row["annotations"]
    return Order(
        id=row["id"],
        customer_id=row["customer_id"],
        restaurant_id=row["restaurant_id"],
        lines=tuple(
            OrderLine(
                food_id=line["food_id"],
                food_name=line["food_name"],
                price=Money(Decimal(line["price"]), currency),
                quantity=line["quantity"],
                discount=Money(Decimal(line["discount"]), currency),
            )
            for line in row["lines"]
        ),
        delivery_fee=Money(row["delivery_fee"], currency),
        payment=Payment(
            method=PaymentMethod(row["payment_method"]),
            card_token=row["card_token"],
            status=PaymentStatus(row["payment_status"]),
            refunds=_refunds_of(row),
        ),
        address=None if address is None else Address(**address),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        state=OrderState(row["state"]),
        shipper_id=row["shipper_id"],
        estimated_at=row["estimated_at"],
        delivered_at=row["delivered_at"],
        delivery_minutes=row["delivery_minutes"],
        cancel_reason=row["cancel_reason"],
        cancelled_by=row["cancelled_by"],
        version=row["version"],
        annotations=None if annotations is None else Annotations(**annotations),
    )
