"""An order and its row; amounts inside JSON are exact decimal text."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import asdict
from sqlalchemy import RowMapping

from ...domain.lifecycle import OrderState, PaymentMethod, PaymentStatus
from ...domain.money import Money
from ...domain.order import Address, Order, OrderLine, Payment


def row_of(order: Order) -> dict[str, Any]:
    """The values of the ``orders`` row, by column."""
    return {
        "id": order.id,
        "version": order.version,
        "state": order.state.value,
        "customer_id": order.customer_id,
        "restaurant_id": order.restaurant_id,
        "shipper_id": order.shipper_id,
        "lines": [
            {
                "food_id": line.food_id,
                "food_name": line.food_name,
                "price": format(line.price.amount, "f"),
                "quantity": line.quantity,
                "discount": format(line.discount.amount, "f"),
            }
            for line in order.lines
        ],
        "delivery_fee": order.delivery_fee.amount,
        "currency": order.currency,
        "payment_method": order.payment.method.value,
        "payment_status": order.payment.status.value,
        "card_token": order.payment.card_token,
        "address": None if order.address is None else asdict(order.address),
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "estimated_at": order.estimated_at,
        "delivered_at": order.delivered_at,
        "delivery_minutes": order.delivery_minutes,
        "cancel_reason": order.cancel_reason,
        "cancelled_by": order.cancelled_by,
    }


def order_of(row: Mapping[str, Any] | RowMapping) -> Order:
    """The order that ``row`` keeps."""
    currency = row["currency"]
    address = row["address"]
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
    )
