"""The envelope of an event and the data of each type. The JSON Schemas are generated from these structs."""

from collections.abc import Mapping
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from ...domain.lifecycle import OrderState
from ...domain.payment import PaymentMethod, PaymentStatus
from ...domain.refund import RefundBearer, RefundStep
from ...domain.validation import MAX_LINES
from .fields import Currency, Customer, FoodName, Identifier, Minutes, Price, Quantity, Reason, Time

EventType = Literal[
    "order.created",
    "order.shipper_assigned",
    "order.state_changed",
    "order.payment_processed",
    "order.cancelled",
    "order.delivered",
]
Version = Literal["1.0"]


class OrderDetail(Struct, rename="camel", frozen=True):
    """One line of the order. It costs price * quantity - discount."""

    food_id: Identifier
    food_name: FoodName
    price: Price
    quantity: Quantity
    discount: Price


OrderDetails = Annotated[
    tuple[OrderDetail, ...],
    Meta(min_length=1, max_length=MAX_LINES, description=f"an array of 1 to {MAX_LINES} objects"),
]


class CreatedData(Struct, rename="camel", frozen=True):
    """A new order. totalPrice is the sum of the lines and the delivery fee, in units of currency.

    createdBy is the actor that placed it: the customer, the restaurant or an admin.
    """

    restaurant_id: Identifier
    total_price: Price
    order_details: OrderDetails
    created_at: Time
    currency: Currency | UnsetType = UNSET
    created_by: Identifier | UnsetType = UNSET


class ShipperAssignedData(Struct, rename="camel", frozen=True):
    """A shipper was assigned to the order, for the first time or in place of another one."""

    shipper_id: Identifier
    assigned_by: Identifier
    assigned_at: Time


class StateChangedData(Struct, rename="camel", frozen=True):
    """The order moved from one state to another."""

    old_state: OrderState
    new_state: OrderState
    updated_by: Identifier
    changed_at: Time


class PaymentProcessedData(Struct, rename="camel", frozen=True):
    """A payment or a refund was attempted. success is its result.

    paymentStatus is the payment's after the event. Of a refund, refund is the step that it took, amount its own amount,
    and remainder what is left of the payment after all that was paid back.
    """

    payment_status: PaymentStatus
    payment_method: PaymentMethod
    amount: Price
    success: bool
    processed_at: Time
    currency: Currency | UnsetType = UNSET
    refund: RefundStep | UnsetType = UNSET
    remainder: Price | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET
    borne_by: RefundBearer | UnsetType = UNSET
    requested_by: Identifier | UnsetType = UNSET


class CancelledData(Struct, rename="camel", frozen=True):
    """The order was cancelled. shipperId is the shipper that was assigned, if any."""

    reason: Reason
    cancelled_by: Identifier
    cancelled_at: Time
    shipper_id: Identifier | UnsetType = UNSET


class DeliveredData(Struct, rename="camel", frozen=True):
    """The order was delivered. deliveryTime is the time since its creation, in whole minutes."""

    shipper_id: Identifier
    delivery_time: Minutes
    delivered_at: Time


EventData = CreatedData | ShipperAssignedData | StateChangedData | PaymentProcessedData | CancelledData | DeliveredData
DATA: Mapping[str, type[EventData]] = {
    "order.created": CreatedData,
    "order.shipper_assigned": ShipperAssignedData,
    "order.state_changed": StateChangedData,
    "order.payment_processed": PaymentProcessedData,
    "order.cancelled": CancelledData,
    "order.delivered": DeliveredData,
}

D = TypeVar("D")


class EnvelopeOf(Struct, Generic[D], rename="camel", frozen=True, kw_only=True):
    """The fields that all events have, and the data of the event's type. userId is the order's customer."""

    id: Identifier
    type: EventType
    order_id: Identifier
    user_id: Customer | UnsetType = UNSET
    data: D
    occurred_at: Time
    version: Version


Envelope = EnvelopeOf[EventData]
