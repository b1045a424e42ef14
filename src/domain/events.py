"""The six events of an order, in the order in which one command may yield them."""

from datetime import datetime
from hashlib import sha1
from typing import ClassVar
from uuid import UUID

from attrs import frozen

from .lifecycle import OrderState
from .money import Money
from .payment import PaymentMethod, PaymentStatus
from .refund import RefundBearer, RefundStep

EVENT_NAMESPACE = UUID("8f14e45f-ceea-567a-9f36-dedd4bea2543")
"""The UUIDv5 namespace of event ids; a constant of the wire contract."""


def event_id(order_id: str, sequence: int) -> str:
    """Return the UUIDv5 of (order, sequence), so an event that is made twice has the same id.

    It is ``uuid5`` of the standard library in a fifth of its time: an order has several events.
    """
    name = f"{order_id}/{sequence}".encode()
    digest = sha1(EVENT_NAMESPACE.bytes + name, usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) % 4]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


@frozen(kw_only=True)
class OrderLine:
    """A line of the order: one food, whose total is ``price * quantity - discount``."""

    food_id: str
    food_name: str
    price: Money
    quantity: int
    discount: Money

    @property
    def total(self) -> Money:
        return self.price * self.quantity - self.discount


@frozen(kw_only=True)
class OrderEvent:
    """An event of one order. ``sequence`` numbers them from 1; ``customer_id`` is the order's customer."""

    type: ClassVar[str]
    order_id: str
    customer_id: str
    sequence: int
    occurred_at: datetime

    @property
    def id(self) -> str:
        return event_id(self.order_id, self.sequence)


@frozen(kw_only=True)
class OrderCreated(OrderEvent):
    type: ClassVar[str] = "order.created"
    restaurant_id: str
    total: Money
    lines: tuple[OrderLine, ...]
    by: str | None = None
    """The id of the actor that placed the order; None on events of releases that did not record it."""


@frozen(kw_only=True)
class ShipperAssigned(OrderEvent):
    type: ClassVar[str] = "order.shipper_assigned"
    shipper_id: str
    by: str


@frozen(kw_only=True)
class StateChanged(OrderEvent):
    type: ClassVar[str] = "order.state_changed"
    old: OrderState
    new: OrderState
    by: str


@frozen(kw_only=True)
class PaymentProcessed(OrderEvent):
    """A payment or refund was attempted. ``success``: the attempt succeeded, be it a payment or a refund.

    ``status`` is the payment's after the event. Of a refund, ``refund`` is the step that it took, ``amount`` its own
    amount, and ``remainder`` what is left of the payment after all that was paid back. A refund that was requested has
    its ``reason``, who bears it and who requested it; one of a whole cancelled order has neither, and neither has an
    event of a release that recorded refunds as made when they were requested: there ``refund`` is None.
    """

    type: ClassVar[str] = "order.payment_processed"
    status: PaymentStatus
    method: PaymentMethod
    amount: Money
    success: bool
    refund: RefundStep | None = None
    remainder: Money | None = None
    reason: str | None = None
    borne_by: RefundBearer | None = None
    by: str | None = None


@frozen(kw_only=True)
class OrderCancelled(OrderEvent):
    """The order was cancelled. ``shipper_id`` was assigned until then; the order itself no longer has it."""

    type: ClassVar[str] = "order.cancelled"
    reason: str
    by: str
    shipper_id: str | None = None


@frozen(kw_only=True)
class OrderDelivered(OrderEvent):
    """The order was delivered. ``minutes`` are whole minutes since the order was created."""

    type: ClassVar[str] = "order.delivered"
    shipper_id: str
    minutes: int


EVENT_TYPES: tuple[type[OrderEvent], ...] = (
    OrderCreated,
    ShipperAssigned,
    StateChanged,
    PaymentProcessed,
    OrderCancelled,
    OrderDelivered,
)
