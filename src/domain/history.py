"""An order told by its events alone: the fold, and the same facts read off an order."""

from collections.abc import Iterable
from datetime import datetime

from attrs import evolve, frozen

from .errors import CorruptHistory
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
from .lifecycle import ASSIGNABLE, PAYMENT_PATHS, OrderState, PaymentStatus, transition
from .money import Money
from .order import Order


@frozen(kw_only=True)
class OrderFacts:
    """All that an order's events tell. Address, card and payment method before a payment are not among it."""

    order_id: str
    customer_id: str
    restaurant_id: str
    lines: tuple[OrderLine, ...]
    total: Money
    created_at: datetime
    updated_at: datetime
    state: OrderState = OrderState.WAITING_FOR_SHIPPER
    payment_status: PaymentStatus = PaymentStatus.PENDING
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
        shipper_id=order.shipper_id,
        delivered_at=order.delivered_at,
        delivery_minutes=order.delivery_minutes,
        cancel_reason=order.cancel_reason,
        cancelled_by=order.cancelled_by,
        version=order.version,
    )


def fold(events: Iterable[OrderEvent]) -> OrderFacts:
    """The facts after all ``events`` of one order, in sequence. Raises CorruptHistory; also on no events."""
    told: OrderFacts | None = None
    for event in events:
        told = apply(told, event)
    if told is None:
        raise CorruptHistory("", 0, "there are no events")
    return told


def apply(told: OrderFacts | None, event: OrderEvent) -> OrderFacts:
    """The facts after one more event. Raises CorruptHistory where the event cannot follow."""
    if told is None:
        if not isinstance(event, OrderCreated) or event.sequence != 1:
            raise _corrupt(event, f"a history begins with order.created as number 1, not with {event.type}")
        return _begin(event)
    if event.order_id != told.order_id:
        raise _corrupt(event, f"it belongs to order {event.order_id!r}")
    if event.sequence != told.version + 1:
        raise _corrupt(event, f"it follows number {told.version}")
    if event.customer_id not in ("", told.customer_id):
        raise _corrupt(event, f"customer {event.customer_id!r} is not the order's {told.customer_id!r}")
    after = _follow(told, event)
    return evolve(after, version=event.sequence, updated_at=event.occurred_at)


def _begin(event: OrderCreated) -> OrderFacts:
    goods = sum((line.total for line in event.lines), start=Money.zero(event.total.currency))
    if event.total < goods:
        raise _corrupt(event, f"the total {event.total} is below the lines' {goods}")
    return OrderFacts(
        order_id=event.order_id,
        customer_id=event.customer_id,
        restaurant_id=event.restaurant_id,
        lines=event.lines,
        total=event.total,
        created_at=event.occurred_at,
        updated_at=event.occurred_at,
    )


def _follow(told: OrderFacts, event: OrderEvent) -> OrderFacts:
    match event:
        case ShipperAssigned():
            if told.state not in ASSIGNABLE:
                raise _corrupt(event, f"a shipper was assigned while {told.state}")
            return evolve(told, shipper_id=event.shipper_id)
        case StateChanged():
            if event.old is not told.state:
                raise _corrupt(event, f"it leaves {event.old}, but the order is {told.state}")
            if transition(event.old, event.new) is None:
                raise _corrupt(event, f"there is no way from {event.old} to {event.new}")
            if event.new is OrderState.ON_THE_WAY and told.shipper_id is None:
                raise _corrupt(event, "on the way without a shipper")
            return evolve(told, state=event.new)
        case PaymentProcessed():
            if event.status not in PAYMENT_PATHS[told.payment_status]:
                raise _corrupt(event, f"a payment that is {told.payment_status} became {event.status}")
            if event.amount != told.total:
                raise _corrupt(event, f"{event.amount} was processed, but the order's total is {told.total}")
            return evolve(told, payment_status=event.status)
        case OrderCancelled():
            if told.state is not OrderState.CANCELLED or told.cancel_reason is not None:
                raise _corrupt(event, f"order.cancelled while {told.state}")
            if event.shipper_id != told.shipper_id:
                raise _corrupt(event, f"it names shipper {event.shipper_id}, assigned was {told.shipper_id}")
            return evolve(told, cancel_reason=event.reason, cancelled_by=event.by, shipper_id=None)
        case OrderDelivered():
            if told.state is not OrderState.DELIVERED or told.delivered_at is not None:
                raise _corrupt(event, f"order.delivered while {told.state}")
            if event.shipper_id != told.shipper_id:
                raise _corrupt(event, f"delivered by {event.shipper_id}, assigned was {told.shipper_id}")
            return evolve(told, delivered_at=event.occurred_at, delivery_minutes=event.minutes)
        case _:
            raise _corrupt(event, f"{event.type} cannot follow")


def _corrupt(event: OrderEvent, problem: str) -> CorruptHistory:
    return CorruptHistory(event.order_id, event.sequence, problem)
