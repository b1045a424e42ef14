"""An order and its behaviours. Each behaviour returns the new order and its events, or raises CommandRefused."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from attrs import evolve, frozen

from . import permissions, refusals
from .actor import Actor, Role
from .annotations import NO_ANNOTATIONS, Annotations
from .consent import RestaurantOrders
from .currency import check_currency_in_use, in_minor_units, too_many_decimals
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
from .money import Money, total_of
from .payment import PAYMENT_TRANSITIONS, Payment, PaymentMethod, PaymentStatus
from .refund import RefundBearer, RefundStep
from .text import identifier, shown, text
from .validation import Address, check_amounts, check_kinds, check_lines, delivery_fee, utc

MAX_REASON = 500
RELATIVE_PATHS = (".", "..")
"""Ids that no order may have: a client would shorten the order's URL."""
DEFAULT_ESTIMATE = timedelta(minutes=30)
"""The time that a shipper is expected to be on the way; a setting of the service."""


@frozen
class Change:
    """The result of a behaviour: the new order and its events, none if nothing changed."""

    order: "Order"
    events: tuple[OrderEvent, ...] = ()

    @property
    def refund(self) -> PaymentProcessed | None:
        """The event that requests a refund from the payment gateway; None without one."""
        for event in self.events:
            if isinstance(event, PaymentProcessed) and event.refund in (RefundStep.REQUESTED, RefundStep.REPEATED):
                return event
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
    annotations: Annotations | None = None

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
        annotations: Annotations | None = None,
        by: Actor | None = None,
    ) -> Change:
        """Create an order. What ``total`` exceeds the lines by is the delivery fee; without it there is none.

        Raises InvalidInput for a line, count or total out of bounds, an amount with more decimals than its currency
        has, or a card method without a token.
        """
        identifier(id, field="orderId")
        if id in RELATIVE_PATHS:
            raise InvalidInput("orderId", f"{id!r} is a relative path in a URL", "another identifier")
        identifier(customer_id, field="userId")
        identifier(restaurant_id, field="restaurantId")
        check_currency_in_use(currency)
        lines = check_kinds(lines, total, address, annotations)
        goods = check_lines(lines, currency)
        fee = delivery_fee(goods, total)
        check_amounts(lines, total)
        payment = Payment.of(payment_method, card_token)
        at = utc(at)
        order = cls(
            id=id,
            customer_id=customer_id,
            restaurant_id=restaurant_id,
            lines=lines,
            delivery_fee=fee,
            payment=payment,
            address=address,
            created_at=at,
            updated_at=at,
            version=1,
            annotations=annotations,
        )
        created = OrderCreated(
            order_id=id,
            customer_id=customer_id,
            sequence=1,
            occurred_at=at,
            restaurant_id=restaurant_id,
            total=goods + fee,
            lines=lines,
            by=None if by is None else by.id,
        )
        return Change(order, (created,))

    @property
    def currency(self) -> str:
        return self.delivery_fee.currency

    @property
    def total(self) -> Money:
        """The sum of the lines and the delivery fee."""
        return total_of((line.total for line in self.lines), self.currency) + self.delivery_fee

    def visible_to(self, actor: Actor) -> bool:
        """Return whether ``actor`` may read this order: an admin, or a party of the order."""
        return permissions.is_related(self, actor, Relation.OWN)

    def claimable_by(self, actor: Actor) -> bool:
        """Return whether ``actor`` is a shipper who may take this order for itself."""
        return permissions.may_claim(self, actor)

    def allowed_actions(
        self, actor: Actor, restaurants: RestaurantOrders = RestaurantOrders.NONE
    ) -> tuple[permissions.Action, ...]:
        """Return the actions that ``actor`` may take now, each with the values that it needs.

        ``restaurants`` is what the installation lets restaurants do without their customers.
        """
        return permissions.allowed_actions(self, actor, restaurants)

    def check_may_be_placed(self, *, by: Actor, restaurants: RestaurantOrders) -> None:
        """Check that ``by`` may place this order. Raises NotPermitted."""
        if not permissions.may_place(self, by, restaurants):
            raise refusals.may_not_place(self, by)

    def differences(self, other: "Order") -> tuple[str, ...]:
        """Return the names of the requested values that differ between two placements of one id."""
        requested = ("customer_id", "restaurant_id", "lines", "delivery_fee", "address")
        differing = [name for name in requested if getattr(self, name) != getattr(other, name)]
        differing += (self.annotations or NO_ANNOTATIONS).differences(other.annotations or NO_ANNOTATIONS)
        return (*differing, *(f"payment {name}" for name in self.payment.differences(other.payment)))

    def transition_to(
        self,
        target: OrderState,
        *,
        by: Actor,
        at: datetime,
        shipper_id: str | None = None,
        reason: str | None = None,
        estimate: timedelta = DEFAULT_ESTIMATE,
    ) -> Change:
        """Bring the order to ``target`` by the transition table; the methods below do it for one state each.

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
                raise InvalidInput(
                    "shipperId", f"{shown(shipper_id)} is not the order's shipper", "none, or the shipper"
                )
            return change
        if target is OrderState.PREPARING:
            return self.prepare(by=by, at=at, shipper_id=shipper_id)
        if self._is_repeated(target, by):
            return Change(self)
        raise refusals.no_transition(self, target)

    def prepare(self, *, by: Actor, at: datetime, shipper_id: str | None = None) -> Change:
        """Start preparing the food; ``shipper_id`` assigns a shipper, which does the same."""
        if shipper_id is not None and self.state in ASSIGNABLE:
            return self._assign(shipper_id, by, at, action=OrderState.PREPARING)
        if self._is_repeated(OrderState.PREPARING, by):
            return Change(self)
        change = _ChangeBuilder(self, at)
        change.transition(OrderState.PREPARING, by)
        return change.result()

    def assign_shipper(self, shipper_id: str, *, by: Actor, at: datetime) -> Change:
        """Assign a shipper, or replace the one it has. A waiting order begins to be prepared."""
        return self._assign(shipper_id, by, at, action="assign_shipper")

    def _assign(self, shipper_id: str, by: Actor, at: datetime, *, action: str) -> Change:
        identifier(shipper_id, field="shipperId")
        relation = ASSIGNERS.get(by.role)
        if relation is None or not permissions.is_related(self, by, relation, shipper_id):
            raise refusals.may_not_assign(self, by, action)
        if self.shipper_id == shipper_id:
            return Change(self)
        if by.role is Role.SHIPPER and self.shipper_id is not None:
            raise refusals.assigned_to_other(self, by, action)
        if self.state not in ASSIGNABLE:
            raise refusals.not_assignable(self)
        if self.shipper_id is not None and permissions.is_full(self):
            raise refusals.too_many_events(self, "assign_shipper", "the assigned shipper stays")
        change = _ChangeBuilder(self, at)
        change.assign(shipper_id, by)
        if self.state is OrderState.WAITING_FOR_SHIPPER:
            change.set_state(OrderState.PREPARING, by)
        return change.result()

    def send_out(
        self,
        *,
        by: Actor,
        at: datetime,
        shipper_id: str | None = None,
        estimate: timedelta = DEFAULT_ESTIMATE,
    ) -> Change:
        """Send the shipper out with the food; ``shipper_id`` assigns a shipper in the same step."""
        if shipper_id is not None:
            identifier(shipper_id, field="shipperId")
        if self._is_repeated(OrderState.ON_THE_WAY, by, same=shipper_id in (None, self.shipper_id)):
            return Change(self)
        change = _ChangeBuilder(self, at)
        if shipper_id not in (None, self.shipper_id) and transition(self.state, OrderState.ON_THE_WAY):
            if by.role is Role.SHIPPER and (shipper_id != by.id or self.shipper_id is not None):
                raise refusals.assigned_to_other(self, by, OrderState.ON_THE_WAY)
            if by.role in (Role.SHIPPER, Role.ADMIN):
                change.assign(shipper_id, by)
        change.transition(OrderState.ON_THE_WAY, by)
        change.set(estimated_at=change.at + estimate)
        return change.result()

    def deliver(self, *, by: Actor, at: datetime) -> Change:
        """Hand the food over. A pending cash payment becomes paid."""
        if self._is_repeated(OrderState.DELIVERED, by):
            return Change(self)
        change = _ChangeBuilder(self, at)
        change.transition(OrderState.DELIVERED, by)
        if self.payment.status is PaymentStatus.PENDING and not self.payment.by_card:
            change.set_payment(PaymentStatus.PAID)
        minutes = (change.at - self.created_at) // timedelta(minutes=1)
        change.set(delivered_at=change.at, delivery_minutes=minutes)
        change.record(OrderDelivered, shipper_id=self.shipper_id, minutes=minutes)
        return change.result()

    def cancel(self, reason: str, *, by: Actor, at: datetime) -> Change:
        """Cancel the order. A paid order is refunded; its shipper stays on the event and is no longer assigned."""
        if not isinstance(reason, str) or reason.strip():
            text(reason, field="reason", at_least=1, at_most=MAX_REASON)
        if self._is_repeated(OrderState.CANCELLED, by, same=reason == self.cancel_reason):
            return Change(self)
        change = _ChangeBuilder(self, at)
        change.transition(OrderState.CANCELLED, by, reason=reason)
        if (rest := self.refundable).amount:
            if self.payment.by_card:
                change.refund(RefundStep.REQUESTED, rest)
            elif rest == self.total:
                change.set_payment(PaymentStatus.REFUNDED)
            else:
                change.refund(RefundStep.HANDED_BACK, rest)
        change.set(cancel_reason=reason, cancelled_by=by.id, shipper_id=None, estimated_at=None)
        change.record(OrderCancelled, reason=reason, by=by.id, shipper_id=self.shipper_id)
        return change.result()

    @property
    def refundable(self) -> Money:
        """The part of what was paid that is neither paid back, nor asked for, nor declined."""
        if self.payment.status is not PaymentStatus.PAID:
            return Money.zero(self.currency)
        return self._money(self.payment.refunds.remainder(self.total.amount))

    @property
    def refunded(self) -> Money:
        """The part of the total that was paid back."""
        whole = self.payment.status is PaymentStatus.REFUNDED
        return self.total if whole else self._money(self.payment.refunds.paid_back)

    def _money(self, amount: Decimal) -> Money:
        return Money(amount, self.currency)

    def request_refund(
        self, amount: Money | None, reason: str, *, borne_by: RefundBearer, by: Actor, at: datetime
    ) -> Change:
        """Ask for a refund of ``amount``, by default of all that is refundable. Cash is paid back by hand, at once.

        Raises NotPermitted, GuardFailed, and InvalidInput for an amount or reason out of bounds.
        """
        if not permissions.may_refund(self, by, borne_by):
            raise refusals.may_not_refund(self, by)
        text(reason, field="reason", at_least=1, at_most=MAX_REASON)
        if not (rest := self.refundable).amount:
            raise refusals.not_refundable(self)
        amount = rest if amount is None else amount
        if amount != rest and permissions.is_full(self):
            raise refusals.too_many_events(self, "refund", "refund all that is left at once")
        if amount.currency != self.currency or not 0 < amount.amount <= rest.amount:
            raise InvalidInput("amount", f"{shown(str(amount))} cannot be refunded", f"above 0, at most {rest}")
        if not in_minor_units(amount):
            raise too_many_decimals(amount, field="amount")
        change = _ChangeBuilder(self, at)
        step = RefundStep.REQUESTED if self.payment.by_card else RefundStep.HANDED_BACK
        change.refund(step, amount, reason=reason, borne_by=borne_by, by=by.id)
        return change.result()

    def repeat_refunds(self, *, by: Actor, at: datetime) -> Change:
        """Ask again for all refunds that were declined. Raises NotPermitted, GuardFailed."""
        return self._end_declined(RefundStep.REPEATED, by, at)

    def settle_refunds(self, *, by: Actor, at: datetime) -> Change:
        """Record that all declined refunds were paid back in another way. Raises NotPermitted, GuardFailed."""
        return self._end_declined(RefundStep.SETTLED, by, at)

    def _end_declined(self, step: RefundStep, by: Actor, at: datetime) -> Change:
        if by.role is not Role.ADMIN:
            raise refusals.may_not_refund(self, by)
        if not (declined := self.payment.refunds.declined):
            raise refusals.no_declined_refund(self)
        if step is RefundStep.REPEATED and permissions.is_full(self):
            raise refusals.too_many_events(self, "refund", "pay it back in another way, and record that")
        change = _ChangeBuilder(self, at)
        change.refund(step, self._money(declined), by=by.id)
        return change.result()

    def awaits_refund(self, amount: Money) -> bool:
        """Return whether a refund of ``amount`` is asked for and has no outcome."""
        return amount.currency == self.currency and amount.amount <= self.payment.refunds.requested

    def answer_refund(self, amount: Money, *, made: bool, at: datetime) -> Change:
        """Record the gateway's outcome of a refund that is asked for. Raises GuardFailed if none of ``amount`` is."""
        if not self.awaits_refund(amount):
            raise refusals.no_refund_requested(self)
        change = _ChangeBuilder(self, at)
        change.refund(RefundStep.SUCCEEDED if made else RefundStep.DECLINED, amount)
        return change.result()

    def has_paid_back(self, amount: Money) -> bool:
        """Return whether refunds of ``amount`` were made, so that one of it can fail."""
        return amount.currency == self.currency and amount.amount <= self.payment.refunds.paid_back

    def fail_refund(self, amount: Money, *, at: datetime) -> Change:
        """Record that a refund did not arrive that the gateway had reported as made. It is declined then.

        Raises GuardFailed if no refund of ``amount`` was made.
        """
        if not self.has_paid_back(amount):
            raise refusals.no_refund_made(self)
        change = _ChangeBuilder(self, at)
        change.refund(RefundStep.FAILED, amount)
        return change.result()

    def check_may_pay(self, *, by: Actor, restaurants: RestaurantOrders = RestaurantOrders.NONE) -> None:
        """Check that ``by`` may have a payment attempted now. Raises NotPermitted, GuardFailed.

        A paid order passes, for recording it again is no error: check that before a card is charged a second time.
        """
        if not permissions.may_pay(self, by, restaurants):
            raise refusals.may_not_pay(self, by, restaurants)
        if self.state is OrderState.CANCELLED:
            raise refusals.not_payable(self)

    def check_may_charge(self) -> None:
        """Check that the card may be charged once more. Raises GuardFailed after MAX_EVENTS, if the last charge failed.

        A charge that was made meanwhile is recorded all the same.
        """
        if self.payment.status is PaymentStatus.FAILED and permissions.is_full(self):
            raise refusals.too_many_events(self, "record_payment", "pay in another way, which an admin may record")

    def record_payment(
        self, *, paid: bool, by: Actor, at: datetime, restaurants: RestaurantOrders = RestaurantOrders.NONE
    ) -> Change:
        """Record that a payment succeeded or failed. A paid order stays paid, without an event.

        A payment that fails again is an event, too, until the order has MAX_EVENTS.
        """
        self.check_may_pay(by=by, restaurants=restaurants)
        outcome = PaymentStatus.PAID if paid else PaymentStatus.FAILED
        if outcome is self.payment.status and (paid or permissions.is_full(self)):
            return Change(self)
        if outcome not in PAYMENT_TRANSITIONS[self.payment.status]:
            raise refusals.payment_settled(self, outcome)
        change = _ChangeBuilder(self, at)
        change.set_payment(outcome)
        return change.result()

    def _is_repeated(self, target: OrderState, by: Actor, *, same: bool = True) -> bool:
        """Return whether the order is in ``target`` for the ``same`` cause. Raises NotPermitted if ``by`` is not."""
        if self.state is not target or not same:
            return False
        if not permissions.may_have_moved(self, by, target):
            raise refusals.not_permitted(self, target, by)
        return True


class _ChangeBuilder:
    """Builds the change of one command: the order so far, and the events so far.

    All events of a command have one time, which is never before the order's last event, even if the clocks of two
    servers differ. So the first events of an order always give its state at a time.
    """

    def __init__(self, order: Order, at: datetime) -> None:
        self._order = order
        self._changes: dict[str, object] = {}  # not yet in _order: one copy for all takes a third of the time
        self._version = order.version
        self.at = max(utc(at), order.updated_at)
        self.events: list[OrderEvent] = []

    @property
    def order(self) -> Order:
        if self._changes:
            self._order = evolve(self._order, **self._changes)  # type: ignore[arg-type]
            self._changes = {}
        return self._order

    def set(self, **changes: object) -> None:
        self._changes.update(changes)

    def record(self, event: type[OrderEvent], **data: object) -> None:
        self._version += 1
        self.set(version=self._version, updated_at=self.at)
        order_id, customer_id = self._order.id, self._order.customer_id
        self.events.append(
            event(order_id=order_id, customer_id=customer_id, sequence=self._version, occurred_at=self.at, **data)
        )

    def assign(self, shipper_id: str, by: Actor) -> None:
        self.set(shipper_id=shipper_id)
        self.record(ShipperAssigned, shipper_id=shipper_id, by=by.id)

    def transition(self, target: OrderState, by: Actor, *, reason: str | None = None) -> None:
        """Change the state if the table allows it to this actor. Raises CommandRefused."""
        order = self.order
        rule = transition(order.state, target)
        if rule is None:
            raise refusals.no_transition(order, target)
        relation = rule.by.get(by.role)
        if relation is None:
            raise refusals.not_permitted(order, target, by)
        if rule.guard is Guard.SHIPPER and order.shipper_id is None:
            raise refusals.no_shipper(order, target)
        if not permissions.is_related(order, by, relation):
            raise refusals.not_permitted(order, target, by)
        if rule.guard is Guard.REASON and not (reason or "").strip():
            raise refusals.no_reason(order, target)
        self.set_state(target, by)

    def set_state(self, target: OrderState, by: Actor) -> None:
        old = self._order.state  # a command changes the state once
        self.set(state=target)
        self.record(StateChanged, old=old, new=target, by=by.id)

    def set_payment(self, status: PaymentStatus) -> None:
        payment, success = self.order.payment, status in (PaymentStatus.PAID, PaymentStatus.REFUNDED)
        self.set(payment=evolve(payment, status=status))
        self.record(PaymentProcessed, status=status, method=payment.method, amount=self.order.total, success=success)

    def refund(self, step: RefundStep, amount: Money, **data: object) -> None:
        """Record one step of a refund; when all is paid back, the payment is refunded. It must be possible."""
        payment, total = self.order.payment, self.order.total
        if (refunds := payment.refunds.after(step, amount.amount, total.amount)) is None:
            raise refusals.not_refundable(self.order)
        status = PaymentStatus.REFUNDED if refunds.paid_back == total.amount else PaymentStatus.PAID
        self.set(payment=evolve(payment, status=status, refunds=refunds))
        remainder = total - Money(refunds.paid_back, total.currency)
        self.record(
            PaymentProcessed,
            status=status,
            method=payment.method,
            amount=amount,
            success=step.pays_back,
            refund=step,
            remainder=remainder,
            **data,
        )

    def result(self) -> Change:
        return Change(self.order, tuple(self.events))
