"""An order told by its events alone: the fold, and the same facts read off an order."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve, frozen

from .errors import CorruptHistory, InvalidInput
from .events import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    PaymentProcessed,
    ShipperAssigned,
    StateChanged,
)
from .lifecycle import ASSIGNABLE, OrderState, transition
from .money import Money, total_of
from .order import Order
from .payment import PAYMENT_PATHS, PaymentMethod, PaymentStatus
from .validation import check_lines


@frozen(kw_only=True)
class OrderFacts:
    """All that an order's events tell. Address and card are not among it, nor a payment method before a payment."""

    order_id: str
    customer_id: str
    restaurant_id: str
    lines: tuple[OrderLine, ...]
    total: Money
    created_at: datetime
    updated_at: datetime
    state: OrderState = OrderState.WAITING_FOR_SHIPPER
    payment_status: PaymentStatus = PaymentStatus.PENDING
    payment_method: PaymentMethod | None = None
    shipper_id: str | None = None
    delivered_at: datetime | None = None
    delivery_minutes: int | None = None
    cancel_reason: str | None = None
    cancelled_by: str | None = None
    version: int = 1


def facts(order: Order) -> OrderFacts:
    """What the events of ``order`` must tell, read off the order itself."""
    return OrderFacts(
        order_id=order.id,
        customer_id=order.customer_id,
        restaurant_id=order.restaurant_id,
        lines=order.lines,
        total=order.total,
        created_at=order.created_at,
        updated_at=order.updated_at,
        state=order.state,
        payment_status=order.payment.status,
        payment_method=None if order.payment.status is PaymentStatus.PENDING else order.payment.method,
        shipper_id=order.shipper_id,
        delivered_at=order.delivered_at,
        delivery_minutes=order.delivery_minutes,
        cancel_reason=order.cancel_reason,
        cancelled_by=order.cancelled_by,
        version=order.version,
    )


def fold(events: Iterable[OrderEvent]) -> OrderFacts:
    """The facts after all ``events`` of one order, in sequence.

    Raises CorruptHistory where an event cannot follow, on no events, and where the end of a command is missing.
    """
    told: OrderFacts | None = None
    for event in events:
        told = apply(told, event)
    if told is None:
        raise CorruptHistory("", 0, "there are no events")
    if due := _due(told):
        raise CorruptHistory(told.order_id, told.version + 1, f"the history ends where {_names(due)} is due")
    return told


def apply(told: OrderFacts | None, event: OrderEvent) -> OrderFacts:
    """The facts after one more event, also within a command. Raises CorruptHistory where it cannot follow."""
    if told is None:
        if not isinstance(event, OrderCreated) or event.sequence != 1:
            raise _corrupt(event, f"a history begins with order.created as number 1, not with {event.type}")
        return _begin(event)
    if event.order_id != told.order_id:
        raise _corrupt(event, f"it follows events of order {told.order_id!r}")
    if event.sequence != told.version + 1:
        raise _corrupt(event, f"it follows number {told.version}")
    if event.customer_id not in ("", told.customer_id):
        raise _corrupt(event, f"customer {event.customer_id!r} is not the order's {told.customer_id!r}")
    if event.occurred_at < told.updated_at:
        raise _corrupt(event, f"it happened at {event.occurred_at}, before number {told.version}")
    due = _due(told)
    if due and (not isinstance(event, due) or event.occurred_at != told.updated_at):
        raise _corrupt(event, f"{_names(due)} of the same time is due, not {event.type} at {event.occurred_at}")
    return evolve(told, version=event.sequence, updated_at=event.occurred_at, **_changes(told, event))


def _begin(event: OrderCreated) -> OrderFacts:
    currency = event.total.currency
    try:
        check_lines(event.lines, currency)
        goods = total_of((line.total for line in event.lines), currency)
    except InvalidInput as error:
        raise _corrupt(event, f"no order has such a line: {error}") from error
    if event.total < goods or event.total.amount <= 0:
        raise _corrupt(event, f"the total {event.total} is 0 or below the lines' {goods}")
    return OrderFacts(
        order_id=event.order_id,
        customer_id=event.customer_id,
        restaurant_id=event.restaurant_id,
        lines=event.lines,
        total=event.total,
        created_at=event.occurred_at,
        updated_at=event.occurred_at,
    )


def _due(told: OrderFacts) -> tuple[type[OrderEvent], ...]:
    """What must come next, at the same time, because the command is not told to its end; empty between commands."""
    if told.state is OrderState.WAITING_FOR_SHIPPER and told.shipper_id is not None:
        return (StateChanged,)
    if told.state is OrderState.CANCELLED and told.cancel_reason is None:
        return (PaymentProcessed,) if told.payment_status is PaymentStatus.PAID else (OrderCancelled,)
    if told.state is OrderState.DELIVERED and told.delivered_at is None:
        # Cash that was pending is paid now; whether it is cash, only the payment itself tells.
        pending = told.payment_status is PaymentStatus.PENDING
        return (PaymentProcessed, OrderDelivered) if pending else (OrderDelivered,)
    return ()


def _changes(told: OrderFacts, event: OrderEvent) -> dict[str, Any]:
    """The facts that ``event`` changes, by name. Raises CorruptHistory where it cannot follow."""
    match event:
        case ShipperAssigned():
            if told.state not in ASSIGNABLE:
                raise _corrupt(event, f"a shipper was assigned while {told.state}")
            if event.shipper_id == told.shipper_id:
                raise _corrupt(event, f"shipper {event.shipper_id!r} is assigned already")
            return {"shipper_id": event.shipper_id}
        case StateChanged():
            return _step(told, event)
        case PaymentProcessed():
            return _pay(told, event)
        case OrderCancelled():
            if told.state is not OrderState.CANCELLED or told.cancel_reason is not None:
                raise _corrupt(event, f"order.cancelled while {told.state}")
            if not event.reason.strip():
                raise _corrupt(event, "it has no reason")
            if event.shipper_id != told.shipper_id:
                raise _corrupt(event, f"it names shipper {event.shipper_id}, assigned was {told.shipper_id}")
            return {"cancel_reason": event.reason, "cancelled_by": event.by, "shipper_id": None}
        case OrderDelivered():
            if told.state is not OrderState.DELIVERED or told.delivered_at is not None:
                raise _corrupt(event, f"order.delivered while {told.state}")
            if event.shipper_id != told.shipper_id:
                raise _corrupt(event, f"delivered by {event.shipper_id}, assigned was {told.shipper_id}")
            minutes = (event.occurred_at - told.created_at) // timedelta(minutes=1)
            if event.minutes != minutes:
                raise _corrupt(event, f"it says {event.minutes} minutes, but took {minutes}")
            return {"delivered_at": event.occurred_at, "delivery_minutes": event.minutes}
        case _:
            raise _corrupt(event, f"{event.type} cannot follow")


def _step(told: OrderFacts, event: StateChanged) -> dict[str, Any]:
    if event.old is not told.state:
        raise _corrupt(event, f"it leaves {event.old}, but the order is {told.state}")
    if transition(event.old, event.new) is None:
        raise _corrupt(event, f"there is no way from {event.old} to {event.new}")
    if event.new is OrderState.ON_THE_WAY and told.shipper_id is None:
        raise _corrupt(event, "on the way without a shipper")
    if StateChanged in _due(told) and event.new is not OrderState.PREPARING:
        raise _corrupt(event, f"assigning a shipper leads to preparing, not to {event.new}")
    return {"state": event.new}


def _pay(told: OrderFacts, event: PaymentProcessed) -> dict[str, Any]:
    if event.status not in PAYMENT_PATHS[told.payment_status]:
        raise _corrupt(event, f"a payment that is {told.payment_status} became {event.status}")
    if event.success is (event.status is PaymentStatus.FAILED):
        raise _corrupt(event, f"{event.status} with success {event.success}")
    if event.amount != told.total:
        raise _corrupt(event, f"{event.amount} was processed, but the order's total is {told.total}")
    if told.payment_method not in (None, event.method):
        raise _corrupt(event, f"by {event.method}, but before by {told.payment_method}")
    if (event.status is PaymentStatus.REFUNDED) is not (told.state is OrderState.CANCELLED):
        raise _corrupt(event, f"{event.status} while {told.state}")
    if told.state is OrderState.DELIVERED and told.payment_status is PaymentStatus.PENDING:
        in_hand = event.method is PaymentMethod.CASH
        handed_over = told.delivered_at is None
        if in_hand is not handed_over or (in_hand and event.status is not PaymentStatus.PAID):
            raise _corrupt(event, "pending cash is paid by the delivery itself, a card is not")
    return {"payment_status": event.status, "payment_method": event.method}


def _names(due: tuple[type[OrderEvent], ...]) -> str:
    return " or ".join(kind.type for kind in due)


def _corrupt(event: OrderEvent, problem: str) -> CorruptHistory:
    return CorruptHistory(event.order_id, event.sequence, problem)
