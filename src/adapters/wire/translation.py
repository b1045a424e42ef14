"""Converts domain events to the structs of the wire format and back. Address, card and contact are never included."""

from datetime import datetime
from typing import TypedDict, TypeVar, assert_never

from msgspec import UNSET, UnsetType

from ...domain.events import (
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    PaymentProcessed,
    ShipperAssigned,
    StateChanged,
)
from ...domain.money import Money
from .envelope import (
    CancelledData,
    CreatedData,
    DeliveredData,
    EventData,
    EventType,
    OrderDetail,
    PaymentProcessedData,
    ShipperAssignedData,
    StateChangedData,
)
from .fields import utc

T = TypeVar("T")
NO_CURRENCY = "XXX"
"""ISO 4217's code for "no currency". It is read for amounts without a currency and never written."""


def data_of(event: OrderEvent) -> tuple[EventType, EventData]:
    """Convert ``event`` to its type and the data of its envelope."""
    at = utc(event.occurred_at)
    match event:
        case OrderCreated():
            return "order.created", CreatedData(
                restaurant_id=event.restaurant_id,
                total_price=event.total.amount,
                order_details=tuple(map(_detail, event.lines)),
                created_at=at,
                currency=_currency_to_wire(event.total),
                created_by=_given(event.by),
            )
        case StateChanged():
            return "order.state_changed", StateChangedData(
                old_state=event.old, new_state=event.new, updated_by=event.by, changed_at=at
            )
        case PaymentProcessed():
            return "order.payment_processed", PaymentProcessedData(
                payment_status=event.status,
                payment_method=event.method,
                amount=event.amount.amount,
                success=event.success,
                processed_at=at,
                currency=_currency_to_wire(event.amount),
                refund=_given(event.refund),
                remainder=UNSET if event.remainder is None else event.remainder.amount,
                reason=_given(event.reason),
                borne_by=_given(event.borne_by),
                requested_by=_given(event.by),
            )
        case ShipperAssigned():
            return "order.shipper_assigned", ShipperAssignedData(
                shipper_id=event.shipper_id, assigned_by=event.by, assigned_at=at
            )
        case OrderCancelled():
            return "order.cancelled", CancelledData(
                reason=event.reason, cancelled_by=event.by, cancelled_at=at, shipper_id=_given(event.shipper_id)
            )
        case OrderDelivered():
            return "order.delivered", DeliveredData(
                shipper_id=event.shipper_id, delivery_time=event.minutes, delivered_at=at
            )
        case _:
            raise TypeError(f"{type(event).__name__} is not part of the contract")


class EnvelopeFields(TypedDict):
    """The fields of an event that come from the envelope and not from its data."""

    order_id: str
    customer_id: str
    sequence: int
    occurred_at: datetime


def event_of(data: EventData, common: EnvelopeFields) -> OrderEvent:
    """Build the event of an envelope with ``data``. Its time is occurredAt, which the time in ``data`` repeats."""
    match data:
        case CreatedData():
            currency = _currency_from_wire(data.currency)
            return OrderCreated(
                **common,
                restaurant_id=data.restaurant_id,
                total=Money(data.total_price, currency),
                lines=tuple(_line(detail, currency) for detail in data.order_details),
                by=_known(data.created_by),
            )
        case StateChangedData():
            return StateChanged(**common, old=data.old_state, new=data.new_state, by=data.updated_by)
        case PaymentProcessedData():
            currency = _currency_from_wire(data.currency)
            return PaymentProcessed(
                **common,
                status=data.payment_status,
                method=data.payment_method,
                amount=Money(data.amount, currency),
                success=data.success,
                refund=_known(data.refund),
                remainder=None if data.remainder is UNSET else Money(data.remainder, currency),
                reason=_known(data.reason),
                borne_by=_known(data.borne_by),
                by=_known(data.requested_by),
            )
        case ShipperAssignedData():
            return ShipperAssigned(**common, shipper_id=data.shipper_id, by=data.assigned_by)
        case CancelledData():
            shipper_id = _known(data.shipper_id)
            return OrderCancelled(**common, reason=data.reason, by=data.cancelled_by, shipper_id=shipper_id)
        case DeliveredData():
            return OrderDelivered(**common, shipper_id=data.shipper_id, minutes=data.delivery_time)
        case _:
            assert_never(data)


def _detail(line: OrderLine) -> OrderDetail:
    return OrderDetail(
        food_id=line.food_id,
        food_name=line.food_name,
        price=line.price.amount,
        quantity=line.quantity,
        discount=line.discount.amount,
    )


def _line(detail: OrderDetail, currency: str) -> OrderLine:
    return OrderLine(
        food_id=detail.food_id,
        food_name=detail.food_name,
        price=Money(detail.price, currency),
        quantity=detail.quantity,
        discount=Money(detail.discount, currency),
    )


def _given(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value


def _known(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value


def _currency_to_wire(amount: Money) -> str | UnsetType:
    return UNSET if amount.currency == NO_CURRENCY else amount.currency


def _currency_from_wire(currency: str | UnsetType) -> str:
    return NO_CURRENCY if currency is UNSET else currency
