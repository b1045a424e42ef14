"""The fold of an order's events into facts, and the same facts of an order.

The check compares the two: an order and its history must agree.
"""

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
from .money import Money
from .order import Order
from .payment import NO_REFUNDS, PAYMENT_TRANSITIONS, PaymentMethod, PaymentStatus
from .refund import Refunds, RefundStep
from .validation import check_lines


@frozen(kw_only=True)
class OrderFacts:
    """Everything that follows from an order's events: no address, no card, and no payment method before a payment."""

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
    refunds: Refunds = NO_REFUNDS
    shipper_id: str | None = None
    delivered_at: datetime | None = None
    delivery_minutes: int | None = None
    cancel_reason: str | None = None
    cancelled_by: str | None = None
    version: int = 1


def facts_of(order: Order) -> OrderFacts:
    """Return the facts of ``order``, which must equal the fold of its events."""
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
        refunds=order.payment.refunds,
        shipper_id=order.shipper_id,
        delivered_at=order.delivered_at,
        delivery_minutes=order.delivery_minutes,
        cancel_reason=order.cancel_reason,
        cancelled_by=order.cancelled_by,
        version=order.version,
    )


def fold(events: Iterable[OrderEvent]) -> OrderFacts:
    """Return the facts after all ``events`` of one order, in sequence.

    Raises CorruptHistory if an event cannot follow, if there are none, or if a command's last events are missing.
    """
    facts: OrderFacts | None = None
    for event in events:
        facts = apply(facts, event)
    if facts is None:
        raise CorruptHistory("", 0, "there are no events")
    if due := _due(facts):
        raise CorruptHistory(facts.order_id, facts.version + 1, f"the history ends where {_names(due)} is due")
    return facts


def apply(facts: OrderFacts | None, event: OrderEvent) -> OrderFacts:
    """Return the facts after one more event, also within a command. Raises CorruptHistory if it cannot follow."""
    if facts is None:
        if not isinstance(event, OrderCreated) or event.sequence != 1:
            raise _corrupt(event, f"a history begins with order.created as number 1, not with {event.type}")
        return _create(event)
    if event.order_id != facts.order_id:
        raise _corrupt(event, f"it follows events of order {facts.order_id!r}")
    if event.sequence != facts.version + 1:
        raise _corrupt(event, f"it follows number {facts.version}")
    if event.customer_id not in ("", facts.customer_id):
        raise _corrupt(event, f"customer {event.customer_id!r} is not the order's {facts.customer_id!r}")
    if event.occurred_at < facts.updated_at:
        raise _corrupt(event, f"it happened at {event.occurred_at}, before number {facts.version}")
    due = _due(facts)
    if due and (not isinstance(event, due) or event.occurred_at != facts.updated_at):
        raise _corrupt(event, f"{_names(due)} of the same time is due, not {event.type} at {event.occurred_at}")
    return evolve(facts, version=event.sequence, updated_at=event.occurred_at, **_changes(facts, event))


def _create(event: OrderCreated) -> OrderFacts:
    currency = event.total.currency
    try:
        goods = check_lines(event.lines, currency)
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


def _due(facts: OrderFacts) -> tuple[type[OrderEvent], ...]:
    """Return the events of which one must come next, at the same time; empty if the last command is complete."""
    if facts.state is OrderState.WAITING_FOR_SHIPPER and facts.shipper_id is not None:
        return (StateChanged,)
    if facts.state is OrderState.CANCELLED and facts.cancel_reason is None:
        paid = facts.payment_status is PaymentStatus.PAID and facts.refunds.remainder(facts.total.amount)
        return (PaymentProcessed,) if paid else (OrderCancelled,)
    if facts.state is OrderState.DELIVERED and facts.delivered_at is None:
        # Pending cash is paid now; only the payment event has the method.
        pending = facts.payment_status is PaymentStatus.PENDING
        return (PaymentProcessed, OrderDelivered) if pending else (OrderDelivered,)
    return ()


def _changes(facts: OrderFacts, event: OrderEvent) -> dict[str, Any]:
    """Return the facts that ``event`` changes, by name. Raises CorruptHistory if it cannot follow."""
    match event:
        case ShipperAssigned():
            if facts.state not in ASSIGNABLE:
                raise _corrupt(event, f"a shipper was assigned while {facts.state}")
            if event.shipper_id == facts.shipper_id:
                raise _corrupt(event, f"shipper {event.shipper_id!r} is assigned already")
            return {"shipper_id": event.shipper_id}
        case StateChanged():
            return _change_state(facts, event)
        case PaymentProcessed():
            return _pay(facts, event)
        case OrderCancelled():
            if facts.state is not OrderState.CANCELLED or facts.cancel_reason is not None:
                raise _corrupt(event, f"order.cancelled while {facts.state}")
            if not event.reason.strip():
                raise _corrupt(event, "it has no reason")
            if event.shipper_id != facts.shipper_id:
                raise _corrupt(event, f"it names shipper {event.shipper_id}, assigned was {facts.shipper_id}")
            return {"cancel_reason": event.reason, "cancelled_by": event.by, "shipper_id": None}
        case OrderDelivered():
            if facts.state is not OrderState.DELIVERED or facts.delivered_at is not None:
                raise _corrupt(event, f"order.delivered while {facts.state}")
            if event.shipper_id != facts.shipper_id:
                raise _corrupt(event, f"delivered by {event.shipper_id}, assigned was {facts.shipper_id}")
            minutes = (event.occurred_at - facts.created_at) // timedelta(minutes=1)
            if event.minutes != minutes:
                raise _corrupt(event, f"it has {event.minutes} minutes, but the delivery took {minutes}")
            return {"delivered_at": event.occurred_at, "delivery_minutes": event.minutes}
        case _:
            raise _corrupt(event, f"{event.type} cannot follow")


def _change_state(facts: OrderFacts, event: StateChanged) -> dict[str, Any]:
    if event.old is not facts.state:
        raise _corrupt(event, f"it starts from {event.old}, but the order is {facts.state}")
    if transition(event.old, event.new) is None:
        raise _corrupt(event, f"no transition from {event.old} to {event.new}")
    if event.new is OrderState.ON_THE_WAY and facts.shipper_id is None:
        raise _corrupt(event, "on the way without a shipper")
    if StateChanged in _due(facts) and event.new is not OrderState.PREPARING:
        raise _corrupt(event, f"assigning a shipper leads to preparing, not to {event.new}")
    return {"state": event.new}


def _pay(facts: OrderFacts, event: PaymentProcessed) -> dict[str, Any]:
    if event.refund is not None:
        return _refund(facts, event, event.refund)
    if event.status not in PAYMENT_TRANSITIONS[facts.payment_status]:
        raise _corrupt(event, f"a payment that is {facts.payment_status} became {event.status}")
    if event.success is (event.status is PaymentStatus.FAILED):
        raise _corrupt(event, f"{event.status} with success {event.success}")
    if event.amount != facts.total:
        raise _corrupt(event, f"{event.amount} was processed, but the order's total is {facts.total}")
    if facts.payment_method not in (None, event.method):
        raise _corrupt(event, f"by {event.method}, but before by {facts.payment_method}")
    if event.status is PaymentStatus.REFUNDED and facts.refunds != NO_REFUNDS:
        raise _corrupt(event, "a part of the payment was refunded before")
    if (event.status is PaymentStatus.REFUNDED) is not (facts.state is OrderState.CANCELLED):
        raise _corrupt(event, f"{event.status} while {facts.state}")
    if facts.state is OrderState.DELIVERED and facts.payment_status is PaymentStatus.PENDING:
        in_hand = event.method is PaymentMethod.CASH
        handed_over = facts.delivered_at is None
        if in_hand is not handed_over or (in_hand and event.status is not PaymentStatus.PAID):
            raise _corrupt(event, "pending cash is paid by the delivery itself, a card is not")
    return {"payment_status": event.status, "payment_method": event.method}


CANCELLING = (RefundStep.REQUESTED, RefundStep.HANDED_BACK)
"""The steps that a cancellation takes with all that is left of a payment."""


def _refund(facts: OrderFacts, event: PaymentProcessed, step: RefundStep) -> dict[str, Any]:
    failed = step is RefundStep.FAILED and facts.payment_status is PaymentStatus.REFUNDED
    if facts.payment_status is not PaymentStatus.PAID and not failed:
        raise _corrupt(event, f"a refund was {step} while the payment was {facts.payment_status}")
    if (step is RefundStep.HANDED_BACK) is not (event.method is PaymentMethod.CASH) and step in CANCELLING:
        raise _corrupt(event, f"a refund by {event.method} was {step}")
    refunds = None
    if event.amount.currency == facts.total.currency:
        refunds = facts.refunds.after(step, event.amount.amount, facts.total.amount)
    if refunds is None:
        raise _corrupt(event, f"a refund of {event.amount} cannot be {step} now")
    if PaymentProcessed in _due(facts) and (step not in CANCELLING or refunds.remainder(facts.total.amount)):
        raise _corrupt(event, f"a cancellation requests all that is left, not {event.amount}")
    if event.success is not step.pays_back:
        raise _corrupt(event, f"a refund that was {step} with success {event.success}")
    status = PaymentStatus.REFUNDED if refunds.paid_back == facts.total.amount else PaymentStatus.PAID
    if event.status is not status:
        raise _corrupt(event, f"the payment became {event.status}, and should be {status}")
    remainder = facts.total - Money(refunds.paid_back, facts.total.currency)
    if event.remainder not in (None, remainder):
        raise _corrupt(event, f"it leaves {event.remainder}, and should leave {remainder}")
    if facts.payment_method not in (None, event.method):
        raise _corrupt(event, f"by {event.method}, but before by {facts.payment_method}")
    return {"payment_status": status, "payment_method": event.method, "refunds": refunds}


def _names(due: tuple[type[OrderEvent], ...]) -> str:
    return " or ".join(kind.type for kind in due)


def _corrupt(event: OrderEvent, problem: str) -> CorruptHistory:
    return CorruptHistory(event.order_id, event.sequence, problem)
