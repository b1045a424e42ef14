"""The values that a message template may contain, as text for people."""

from collections.abc import Mapping

from ...domain.currency import written_out
from ...domain.events import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    PaymentProcessed,
    ShipperAssigned,
    StateChanged,
)
from ...domain.lifecycle import OrderState
from ...domain.payment import PaymentMethod, PaymentStatus
from ..orders.payment_attempts import PaymentAttempt
from .notification import Parties
from .readable import quoted

STATES: Mapping[OrderState, str] = {
    OrderState.WAITING_FOR_SHIPPER: "waiting for a shipper",
    OrderState.PREPARING: "being prepared",
    OrderState.ON_THE_WAY: "on the way",
    OrderState.DELIVERED: "delivered",
    OrderState.CANCELLED: "cancelled",
}
PAYMENTS: Mapping[PaymentStatus, str] = {
    PaymentStatus.PENDING: "is pending",
    PaymentStatus.PAID: "was received",
    PaymentStatus.FAILED: "failed",
    PaymentStatus.REFUNDED: "will be refunded",
}
METHODS: Mapping[PaymentMethod, str] = {
    PaymentMethod.CASH: "in cash",
    PaymentMethod.CREDIT_CARD: "by credit card",
    PaymentMethod.DEBIT_CARD: "by debit card",
}
REASONS: Mapping[str, str] = {"out_of_stock": "something on it is out of stock"}


def values_of(event: OrderEvent, parties: Parties) -> Mapping[str, str]:
    """Return the values by name. All events have ``order``, ``restaurant`` and ``shipper`` (or "nobody yet").

    What a caller wrote is ``quoted``: it contains no controls and no links.
    """
    return {
        "order": quoted(event.order_id),
        "restaurant": quoted(parties.restaurant_id),
        "shipper": quoted(parties.shipper_id or "nobody yet"),
        **_values_of_type(event),
    }


def values_of_refund(refund: PaymentAttempt) -> Mapping[str, str]:
    """Return the values of a message about the answer to ``refund``."""
    return {"order": quoted(refund.order_id), "amount": written_out(refund.amount)}


def _values_of_type(event: OrderEvent) -> dict[str, str]:
    match event:
        case OrderCreated():
            items = "\n".join(
                f"  {line.quantity} x {quoted(line.food_name)}, {written_out(line.total)}" for line in event.lines
            )
            return {"total": written_out(event.total), "items": items}
        case StateChanged():
            return {"state": STATES[event.new], "old_state": STATES[event.old]}
        case ShipperAssigned():
            return {}
        case PaymentProcessed():
            return {
                "amount": written_out(event.amount),
                "outcome": PAYMENTS[event.status],
                "method": METHODS[event.method],
            }
        case OrderCancelled():
            return {"reason": REASONS.get(event.reason) or quoted(event.reason)}
        case OrderDelivered():
            minutes = "1 minute" if event.minutes == 1 else f"{event.minutes} minutes"
            return {"minutes": minutes}
        case _:
            return {}
