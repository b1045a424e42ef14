"""An order and its behaviours. Each behaviour returns the new order and the events that tell of it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from attrs import evolve, field, frozen

from . import refusals
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
from .identifiers import identifier, text
from .lifecycle import (
    ASSIGNABLE,
    ASSIGNERS,
    PAYMENT_PATHS,
    TRANSITIONS,
    Actor,
    Need,
    OrderState,
    PaymentMethod,
    PaymentStatus,
    Role,
    Tie,
    transition,
)
from .money import Money, total_of

MAX_LINES = 100
MAX_QUANTITY = 999
MAX_NAME = 200
MAX_REASON = 500
DEFAULT_ESTIMATE = timedelta(minutes=30)
"""How long a shipper is expected to be on the way; a setting of the service."""


@frozen(kw_only=True)
class Address:
    """Where to. Personal: it is kept with the order and never enters an event."""

    street: str
    city: str
    postal_code: str = ""
    note: str = ""

    def __attrs_post_init__(self) -> None:
        text(self.street, field="address/street", at_least=1, at_most=200)
        text(self.city, field="address/city", at_least=1, at_most=100)
        text(self.postal_code, field="address/postalCode", at_most=20)
        text(self.note, field="address/note", at_most=500)


@frozen(kw_only=True)
class Payment:
    """How the order is paid and how far that is. The card token stands for a card at the gateway."""

    method: PaymentMethod
    card_token: str | None = field(default=None, repr=False)
    status: PaymentStatus = PaymentStatus.PENDING


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


@frozen
class Action:
    """Something that an actor may do now; ``needs`` are the values it must bring along."""

    name: str
    needs: tuple[str, ...] = ()


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
        _check_lines(lines)
        goods = total_of((line.total for line in lines), currency)
        fee = Money.zero(currency) if total is None else total - goods
        if fee < Money.zero(currency):
            raise InvalidInput("totalPrice", f"{total} is below the lines' {goods}", f"at least {goods}")
        if not Money.zero(currency) < goods + fee:
            raise InvalidInput("totalPrice", "the order's total is 0", "more than 0")
        if payment_method is PaymentMethod.CASH:
            if card_token is not None:
                raise InvalidInput("cardToken", "a card token with cash", "none, or a card method")
        else:
            identifier(card_token, field="cardToken")
        at = _utc(at)
        order = cls(
            id=id,
            customer_id=customer_id,
            restaurant_id=restaurant_id,
            lines=tuple(lines),
            delivery_fee=fee,
            payment=Payment(method=payment_method, card_token=card_token),
            address=address,
            created_at=at,
            updated_at=at,
        )
        story = _Story(order, at)
        story.tell(OrderCreated, restaurant_id=restaurant_id, total=order.total, lines=order.lines)
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
        return actor.role is Role.ADMIN or self._tied(actor, Tie.OWN)

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

        Raises CommandRefused (IllegalTransition, NotPermitted, GuardFailed), InvalidInput.
        """
        if target is OrderState.CANCELLED:
            return self.cancel(reason or "", by=by, at=at)
        if target is OrderState.ON_THE_WAY:
            return self.send_out(by=by, at=at, shipper_id=shipper_id, estimate=estimate)
        if target is OrderState.DELIVERED:
            return self.deliver(by=by, at=at)
        if target is OrderState.PREPARING:
            return self.prepare(by=by, at=at)
        raise refusals.no_arrow(self, target)

    def prepare(self, *, by: Actor, at: datetime) -> Change:
        """The restaurant starts to cook."""
        if self._settled(OrderState.PREPARING, by):
            return Change(self)
        story = _Story(self, at)
        story.move(OrderState.PREPARING, by)
        return story.change()

    def assign_shipper(self, shipper_id: str, *, by: Actor, at: datetime) -> Change:
        """A shipper takes the order, or takes it over; a waiting order begins to be prepared."""
        identifier(shipper_id, field="shipperId")
        tie = ASSIGNERS.get(by.role)
        if tie is None or not self._tied(by, tie, shipper_id):
            raise refusals.may_not_assign(self, by)
        if self.shipper_id == shipper_id:
            return Change(self)
        if by.role is Role.SHIPPER and self.shipper_id is not None:
            raise refusals.assigned_to_other(self, by)
        if self.state not in ASSIGNABLE:
            raise refusals.not_assignable(self)
        story = _Story(self, at)
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
        story = _Story(self, at)
        if shipper_id is not None and shipper_id != self.shipper_id and transition(self.state, OrderState.ON_THE_WAY):
            if by.role is Role.SHIPPER and (shipper_id != by.id or self.shipper_id is not None):
                raise refusals.assigned_to_other(self, by)
            if by.role in (Role.SHIPPER, Role.ADMIN):
                story.assign(shipper_id, by)
        story.move(OrderState.ON_THE_WAY, by)
        story.set(estimated_at=_utc(at) + estimate)
        return story.change()

    def deliver(self, *, by: Actor, at: datetime) -> Change:
        """The shipper hands the food over; cash changes hands now."""
        if self._settled(OrderState.DELIVERED, by):
            return Change(self)
        story = _Story(self, at)
        story.move(OrderState.DELIVERED, by)
        if self.payment.method is PaymentMethod.CASH and PaymentStatus.PAID in PAYMENT_PATHS[self.payment.status]:
            story.pay(PaymentStatus.PAID)
        minutes = max(0, int((_utc(at) - self.created_at).total_seconds() // 60))
        story.set(delivered_at=_utc(at), delivery_minutes=minutes)
        story.tell(OrderDelivered, shipper_id=self.shipper_id, minutes=minutes)
        return story.change()

    def cancel(self, reason: str, *, by: Actor, at: datetime) -> Change:
        """Nobody gets anything: a paid order is refunded, and its shipper is told and set free."""
        if reason:
            reason = text(reason, field="reason", at_least=1, at_most=MAX_REASON)
        if self._settled(OrderState.CANCELLED, by, same=reason == self.cancel_reason):
            return Change(self)
        story = _Story(self, at)
        story.move(OrderState.CANCELLED, by, reason=reason)
        if self.payment.status is PaymentStatus.PAID:
            story.pay(PaymentStatus.REFUNDED)
        story.set(cancel_reason=reason, cancelled_by=by.id, shipper_id=None, estimated_at=None)
        story.tell(OrderCancelled, reason=reason, by=by.id, shipper_id=self.shipper_id)
        return story.change()

    def check_may_pay(self, *, by: Actor) -> None:
        """Raises NotPermitted or GuardFailed when ``by`` cannot have a payment attempted now."""
        if not self._may_pay(by):
            raise refusals.may_not_pay(self, by)
        if self.state is OrderState.CANCELLED:
            raise refusals.cancelled_unpaid(self)

    def record_payment(self, *, paid: bool, by: Actor, at: datetime) -> Change:
        """An attempt to pay went through or failed. An order that is paid stays paid, without an event."""
        if self.payment.status is PaymentStatus.PAID and paid:
            if not self._may_pay(by):
                raise refusals.may_not_pay(self, by)
            return Change(self)
        self.check_may_pay(by=by)
        outcome = PaymentStatus.PAID if paid else PaymentStatus.FAILED
        if outcome not in PAYMENT_PATHS[self.payment.status]:
            raise refusals.payment_settled(self, outcome)
        story = _Story(self, at)
        story.pay(outcome)
        return story.change()

    def allowed_actions(self, actor: Actor) -> tuple[Action, ...]:
        """What ``actor`` may do now, each with the values it must bring along."""
        actions = []
        for t in TRANSITIONS:
            tie = t.by.get(actor.role)
            if t.source is not self.state or tie is None:
                continue
            missing = t.need is Need.SHIPPER and self.shipper_id is None
            takes_it = missing and actor.role is Role.SHIPPER
            if takes_it or self._tied(actor, tie):
                needs = ("reason",) if t.need is Need.REASON else ("shipperId",) if missing else ()
                actions.append(Action(t.target, needs))
        tie = ASSIGNERS.get(actor.role)
        if self.state in ASSIGNABLE and tie is not None:
            free = self.shipper_id is None if actor.role is Role.SHIPPER else self._tied(actor, tie)
            if free:
                actions.append(Action("assign_shipper", ("shipperId",)))
        payable = PaymentStatus.PAID in PAYMENT_PATHS[self.payment.status]
        if payable and self.state is not OrderState.CANCELLED and self._may_pay(actor):
            actions.append(Action("record_payment"))
        return tuple(actions)

    def _tied(self, actor: Actor, tie: Tie, shipper_id: str | None = None) -> bool:
        if tie is Tie.ANY or actor.role is Role.ADMIN:
            return True
        own = {
            Role.CUSTOMER: self.customer_id,
            Role.RESTAURANT: self.restaurant_id,
            Role.SHIPPER: shipper_id or self.shipper_id,
        }
        return actor.id == own[actor.role]

    def _may_pay(self, actor: Actor) -> bool:
        """Cash is recorded by those who may have received it, a card by everybody who takes part."""
        gives = self.payment.method is PaymentMethod.CASH and actor.role is Role.CUSTOMER
        return self._tied(actor, Tie.OWN) and not gives

    def _settled(self, target: OrderState, by: Actor, *, same: bool = True) -> bool:
        """Whether the order is there already by the same cause, asked by somebody who may move it there."""
        if self.state is not target or not same:
            return False
        ties = [t.by[by.role] for t in TRANSITIONS if t.target is target and by.role in t.by]
        # A cancelled order has let its shipper go, so only the lasting ties can be asked for.
        if not any(self._tied(by, tie) for tie in ties):
            raise refusals.may_not(self, target, by)
        return True


class _Story:
    """An order on its way through one command: what it becomes, and the events told so far."""

    def __init__(self, order: Order, at: datetime) -> None:
        self.order = order
        self.at = _utc(at)
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
        if not order._tied(by, tie):
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


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput("at", "a time without a zone", "an aware datetime")
    return at.astimezone(UTC)


def _check_lines(lines: Iterable[OrderLine]) -> None:
    lines = tuple(lines)
    if not 1 <= len(lines) <= MAX_LINES:
        raise InvalidInput("orderDetails", f"{len(lines)} lines", f"1 to {MAX_LINES} lines")
    for index, line in enumerate(lines):
        at = f"orderDetails/{index}"
        identifier(line.food_id, field=f"{at}/foodId")
        text(line.food_name, field=f"{at}/foodName", at_least=1, at_most=MAX_NAME)
        if isinstance(line.quantity, bool) or not isinstance(line.quantity, int):
            raise InvalidInput(f"{at}/quantity", f"{line.quantity!r}", f"a whole number, 1 to {MAX_QUANTITY}")
        if not 1 <= line.quantity <= MAX_QUANTITY:
            raise InvalidInput(f"{at}/quantity", f"{line.quantity}", f"1 to {MAX_QUANTITY}")
        zero = Money.zero(line.price.currency)
        if line.price < zero:
            raise InvalidInput(f"{at}/price", f"{line.price}", "0 or more")
        if not zero <= line.discount <= line.price * line.quantity:
            raise InvalidInput(f"{at}/discount", f"{line.discount}", f"0 to {line.price * line.quantity}")
