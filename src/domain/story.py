"""One command told step by step: what the order becomes, and the events that tell of it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from . import refusals
from .errors import InvalidInput
from .events import OrderEvent, PaymentProcessed, ShipperAssigned, StateChanged
from .lifecycle import Actor, Need, OrderState, PaymentMethod, PaymentStatus, transition
from .money import Money
from .permissions import tied

if TYPE_CHECKING:
    from .order import Order


@frozen
class Change:
    """What a behaviour yields: the new order and its events, none where nothing changed."""

    order: "Order"
    events: tuple[OrderEvent, ...] = ()

    @property
    def refund(self) -> Money | None:
        """The amount to give back to the customer's card, when the change promises a refund."""
        card = self.order.payment.method is not PaymentMethod.CASH
        for event in self.events:
            if card and isinstance(event, PaymentProcessed) and event.status is PaymentStatus.REFUNDED:
                return event.amount
        return None


class Story:
    """An order on its way through one command: what it becomes, and the events told so far.

    All events of a command have one time. It never lies before the order's last event, whatever the clocks of two
    servers say: what an order was at a time is then always told by its first events.
    """

    def __init__(self, order: "Order", at: datetime) -> None:
        self.order = order
        self.at = max(utc(at), order.updated_at)
        self.events: list[OrderEvent] = []

    def set(self, **changes: object) -> None:
        self.order = evolve(self.order, **changes)  # type: ignore[arg-type]

    def tell(self, event: type[OrderEvent], **data: object) -> None:
        order = self.order
        sequence = order.version + 1
        self.events.append(
            event(
                order_id=order.id,
                customer_id=order.customer_id,
                sequence=sequence,
                occurred_at=self.at,
                **data,
            )
        )
        self.set(version=sequence, updated_at=self.at)

    def assign(self, shipper_id: str, by: Actor) -> None:
        self.set(shipper_id=shipper_id)
        self.tell(ShipperAssigned, shipper_id=shipper_id, by=by.id)

    def move(self, target: OrderState, by: Actor, *, reason: str | None = None) -> None:
        """A step that the table must allow this actor. Raises CommandRefused."""
        order = self.order
        arrow = transition(order.state, target)
        if arrow is None:
            raise refusals.no_arrow(order, target)
        tie = arrow.by.get(by.role)
        if tie is None:
            raise refusals.may_not(order, target, by)
        if arrow.need is Need.SHIPPER and order.shipper_id is None:
            raise refusals.no_shipper(order, target)
        if not tied(order, by, tie):
            raise refusals.may_not(order, target, by)
        if arrow.need is Need.REASON and not (reason or "").strip():
            raise refusals.no_reason(order, target)
        self.step(target, by)

    def step(self, target: OrderState, by: Actor) -> None:
        old = self.order.state
        self.set(state=target)
        self.tell(StateChanged, old=old, new=target, by=by.id)

    def pay(self, status: PaymentStatus) -> None:
        payment = evolve(self.order.payment, status=status)
        self.set(payment=payment)
        success = status in (PaymentStatus.PAID, PaymentStatus.REFUNDED)
        self.tell(PaymentProcessed, status=status, method=payment.method, amount=self.order.total, success=success)

    def change(self) -> Change:
        return Change(self.order, tuple(self.events))


def utc(at: datetime) -> datetime:
    """``at`` in UTC. Raises InvalidInput for a time without a zone."""
    if at.utcoffset() is None:
        raise InvalidInput("at", "a time without a zone", "an aware datetime")
    return at.astimezone(UTC)
