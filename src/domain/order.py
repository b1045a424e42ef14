"""An order and its behaviours. Each behaviour returns the new order and the events that tell of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from . import permissions, refusals
from .actor import Actor, Role
from .errors import InvalidInput
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
from .lifecycle import ASSIGNABLE, ASSIGNERS, Guard, OrderState, Relation, transition
from .money import Money, check_currency, total_of
from .payment import PAYMENT_PATHS, Payment, PaymentMethod, PaymentStatus
from .permissions import Action, is_related
from .text import identifier, shown, text
from .validation import MAX_LINES, MAX_NAME, MAX_QUANTITY, Address, check_card, check_lines, delivery_fee

if TYPE_CHECKING:
    pass


__all__ = [
    "DEFAULT_ESTIMATE",
    "MAX_LINES",
    "MAX_NAME",
    "MAX_QUANTITY",
    "MAX_REASON",
    "Action",
    "Address",
    "Change",
    "Order",
    "OrderLine",
    "Payment",
]


MAX_REASON = 500


DEFAULT_ESTIMATE = timedelta(minutes=30)
"""How long a shipper is expected to be on the way; a setting of the service."""


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


@frozen(kw_only=True)
class Order:
    """One customer's order at one restaurant. ``version`` is the number of its events; times are UTC."""

    id: str
    customer_id: str
    restaurant_id: str
    lines: tuple[OrderLine, ...]
    delivery_fee: Money
    payment: Payment
    address: Address | None
    created_at: datetime
    updated_at: datetime
    state: OrderState = OrderState.WAITING_FOR_SHIPPER
    shipper_id: str | None = None
    estimated_at: datetime | None = None
    delivered_at: datetime | None = None
    delivery_minutes: int | None = None
    cancel_reason: str | None = None
    cancelled_by: str | None = None
    version: int = 0

    @classmethod
    def place(
        cls,
        *,
        id: str,
        customer_id: str,
        restaurant_id: str,
        lines: Sequence[OrderLine],
        payment_method: PaymentMethod,
        at: datetime,
        currency: str,
        total: Money | None = None,
        card_token: str | None = None,
        address: Address | None = None,
    ) -> Change:
        """A new order. What ``total`` exceeds the lines by is the delivery fee; without it there is none.

        Raises InvalidInput: for a line, count or total out of bounds, a card method without a token.
        """
        identifier(id, field="orderId")
        identifier(customer_id, field="userId")
        identifier(restaurant_id, field="restaurantId")
        check_currency(currency)
        lines = tuple(lines)
        check_lines(lines, currency)
        fee = delivery_fee(lines, currency, total)
        check_card(payment_method, card_token)
        at = utc(at)
        order = cls(
            id=id,
            customer_id=customer_id,
            restaurant_id=restaurant_id,
            lines=lines,
            delivery_fee=fee,
            payment=Payment(method=payment_method, card_token=card_token),
            address=address,
            created_at=at,
            updated_at=at,
        )
        story = _ChangeBuilder(order, at)
        story.record(OrderCreated, restaurant_id=restaurant_id, total=order.total, lines=order.lines)
        return story.change()

    @property
    def currency(self) -> str:
        return self.delivery_fee.currency

    @property
    def total(self) -> Money:
        """The sum of the lines and the delivery fee."""
        return total_of((line.total for line in self.lines), self.currency) + self.delivery_fee

    def visible_to(self, actor: Actor) -> bool:
        """Whether ``actor`` may read this order: an admin, or somebody who takes part in it."""
        return permissions.is_related(self, actor, Relation.OWN)

    def differences(self, other: "Order") -> tuple[str, ...]:
        """The names of what was asked for differently in two placements of one id."""
        asked = ("customer_id", "restaurant_id", "lines", "delivery_fee", "address")
        payment = ("method", "card_token")
        return tuple(name for name in asked if getattr(self, name) != getattr(other, name)) + tuple(
            f"payment {name}" for name in payment if getattr(self.payment, name) != getattr(other.payment, name)
        )

    def move(
        self,
        target: OrderState,
        *,
        by: Actor,
        at: datetime,
        shipper_id: str | None = None,
        reason: str | None = None,
        estimate: timedelta = DEFAULT_ESTIMATE,
    ) -> Change:
        """To ``target`` by the transition table; the behaviours below are its named forms.

        ``shipper_id`` assigns a shipper on the way to preparing or on_the_way; ``reason`` is for cancelling.
        Raises CommandRefused (IllegalTransition, NotPermitted, GuardFailed), InvalidInput.
        """
        if target is OrderState.CANCELLED:
            return self.cancel(reason or "", by=by, at=at)
        if target is OrderState.ON_THE_WAY:
            return self.send_out(by=by, at=at, shipper_id=shipper_id, estimate=estimate)
        if target is OrderState.DELIVERED:
            change = self.deliver(by=by, at=at)
            if shipper_id not in (None, change.order.shipper_id):
                raise InvalidInput("shipperId", f"{shown(shipper_id)} is not who brings the order", "none, or who does")
            return change
        if target is OrderState.PREPARING:
            return self.prepare(by=by, at=at, shipper_id=shipper_id)
        if self._settled(target, by):
            return Change(self)
        raise refusals.no_arrow(self, target)

    def prepare(self, *, by: Actor, at: datetime, shipper_id: str | None = None) -> Change:
        """The restaurant starts to cook; ``shipper_id`` assigns a shipper, which does the same."""
        if shipper_id is not None and self.state in ASSIGNABLE:
            return self._assigned(shipper_id, by, at, asked=OrderState.PREPARING)
        if self._settled(OrderState.PREPARING, by):
            return Change(self)
        story = _ChangeBuilder(self, at)
        story.move(OrderState.PREPARING, by)
        return story.change()

    def assign_shipper(self, shipper_id: str, *, by: Actor, at: datetime) -> Change:
        """A shipper takes the order, or takes it over; a waiting order begins to be prepared."""
        return self._assigned(shipper_id, by, at, asked="assign_shipper")

    def _assigned(self, shipper_id: str, by: Actor, at: datetime, *, asked: str) -> Change:
        identifier(shipper_id, field="shipperId")
        tie = ASSIGNERS.get(by.role)
        if tie is None or not permissions.is_related(self, by, tie, shipper_id):
            raise refusals.may_not_assign(self, by, asked)
        if self.shipper_id == shipper_id:
            return Change(self)
        if by.role is Role.SHIPPER and self.shipper_id is not None:
            raise refusals.assigned_to_other(self, by, asked)
        if self.state not in ASSIGNABLE:
            raise refusals.not_assignable(self)
        story = _ChangeBuilder(self, at)
        story.assign(shipper_id, by)
        if self.state is OrderState.WAITING_FOR_SHIPPER:
            story.step(OrderState.PREPARING, by)
        return story.change()

    def send_out(
        self,
        *,
        by: Actor,
        at: datetime,
        shipper_id: str | None = None,
        estimate: timedelta = DEFAULT_ESTIMATE,
    ) -> Change:
        """The shipper leaves with the food; ``shipper_id`` assigns one in the same step."""
        if shipper_id is not None:
            identifier(shipper_id, field="shipperId")
        if self._settled(OrderState.ON_THE_WAY, by, same=shipper_id in (None, self.shipper_id)):
            return Change(self)
        story = _ChangeBuilder(self, at)
        if shipper_id is not None and shipper_id != self.shipper_id and transition(self.state, OrderState.ON_THE_WAY):
            if by.role is Role.SHIPPER and (shipper_id != by.id or self.shipper_id is not None):
                raise refusals.assigned_to_other(self, by, OrderState.ON_THE_WAY)
            if by.role in (Role.SHIPPER, Role.ADMIN):
                story.assign(shipper_id, by)
        story.move(OrderState.ON_THE_WAY, by)
        story.set(estimated_at=story.at + estimate)
        return story.change()

    def deliver(self, *, by: Actor, at: datetime) -> Change:
        """The shipper hands the food over; cash that nobody has recorded yet changes hands now."""
        if self._settled(OrderState.DELIVERED, by):
            return Change(self)
        story = _ChangeBuilder(self, at)
        story.move(OrderState.DELIVERED, by)
        if self.payment.method is PaymentMethod.CASH and self.payment.status is PaymentStatus.PENDING:
            story.pay(PaymentStatus.PAID)
        minutes = (story.at - self.created_at) // timedelta(minutes=1)
        story.set(delivered_at=story.at, delivery_minutes=minutes)
        story.record(OrderDelivered, shipper_id=self.shipper_id, minutes=minutes)
        return story.change()

    def cancel(self, reason: str, *, by: Actor, at: datetime) -> Change:
        """Nobody gets anything: a paid order is refunded, and its shipper is told and set free."""
        if reason.strip():
            text(reason, field="reason", at_least=1, at_most=MAX_REASON)
        if self._settled(OrderState.CANCELLED, by, same=reason == self.cancel_reason):
            return Change(self)
        story = _ChangeBuilder(self, at)
        story.move(OrderState.CANCELLED, by, reason=reason)
        if self.payment.status is PaymentStatus.PAID:
            story.pay(PaymentStatus.REFUNDED)
        story.set(cancel_reason=reason, cancelled_by=by.id, shipper_id=None, estimated_at=None)
        story.record(OrderCancelled, reason=reason, by=by.id, shipper_id=self.shipper_id)
        return story.change()

    def check_may_pay(self, *, by: Actor) -> None:
        """Raises NotPermitted or GuardFailed when ``by`` cannot have a payment attempted now.

        A paid order passes, for recording it again is no fault: look before a card is charged a second time.
        """
        if not permissions.may_pay(self, by):
            raise refusals.may_not_pay(self, by)
        if self.state is OrderState.CANCELLED:
            raise refusals.cancelled_unpaid(self)

    def record_payment(self, *, paid: bool, by: Actor, at: datetime) -> Change:
        """An attempt to pay went through or failed. An order that is paid stays paid, without an event."""
        self.check_may_pay(by=by)
        outcome = PaymentStatus.PAID if paid else PaymentStatus.FAILED
        if outcome is self.payment.status is PaymentStatus.PAID:
            return Change(self)
        if outcome not in PAYMENT_PATHS[self.payment.status]:
            raise refusals.payment_settled(self, outcome)
        story = _ChangeBuilder(self, at)
        story.pay(outcome)
        return story.change()

    def allowed_actions(self, actor: Actor) -> tuple[Action, ...]:
        """What ``actor`` may do now, each with the values it must bring along."""
        return permissions.allowed_actions(self, actor)

    def _settled(self, target: OrderState, by: Actor, *, same: bool = True) -> bool:
        """Whether the order is there already by the same cause, asked by somebody who may move it there."""
        if self.state is not target or not same:
            return False
        if not permissions.may_have_moved(self, by, target):
            raise refusals.may_not(self, target, by)
        return True


class _ChangeBuilder:
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

    def record(self, event: type[OrderEvent], **data: object) -> None:
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
        self.record(ShipperAssigned, shipper_id=shipper_id, by=by.id)

    def move(self, target: OrderState, by: Actor, *, reason: str | None = None) -> None:
        """A step that the table must allow this actor. Raises CommandRefused."""
        order = self.order
        arrow = transition(order.state, target)
        if arrow is None:
            raise refusals.no_arrow(order, target)
        tie = arrow.by.get(by.role)
        if tie is None:
            raise refusals.may_not(order, target, by)
        if arrow.need is Guard.SHIPPER and order.shipper_id is None:
            raise refusals.no_shipper(order, target)
        if not is_related(order, by, tie):
            raise refusals.may_not(order, target, by)
        if arrow.need is Guard.REASON and not (reason or "").strip():
            raise refusals.no_reason(order, target)
        self.step(target, by)

    def step(self, target: OrderState, by: Actor) -> None:
        old = self.order.state
        self.set(state=target)
        self.record(StateChanged, old=old, new=target, by=by.id)

    def pay(self, status: PaymentStatus) -> None:
        payment = evolve(self.order.payment, status=status)
        self.set(payment=payment)
        success = status in (PaymentStatus.PAID, PaymentStatus.REFUNDED)
        self.record(PaymentProcessed, status=status, method=payment.method, amount=self.order.total, success=success)

    def change(self) -> Change:
        return Change(self.order, tuple(self.events))


def utc(at: datetime) -> datetime:
    """``at`` in UTC. Raises InvalidInput for a time without a zone."""
    if at.utcoffset() is None:
        raise InvalidInput("at", "a time without a zone", "an aware datetime")
    return at.astimezone(UTC)
