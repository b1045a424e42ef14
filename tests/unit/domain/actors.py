"""Who plays in the domain's tests, and orders brought to every situation by the commands themselves."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from orderflow.domain.actor import Actor, Role
from orderflow.domain.events import OrderEvent
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.order import Change, Order
from orderflow.domain.payment import PaymentMethod
from orderflow.domain.refund import RefundBearer
from orderflow.testing import orders

AT, ADMIN, REASON = orders.AT, orders.ADMIN, orders.REASON
eur, line, place = orders.eur, orders.line, orders.place

CUSTOMER, OTHER_CUSTOMER = Actor(Role.CUSTOMER, "C1"), Actor(Role.CUSTOMER, "C2")
RESTAURANT, OTHER_RESTAURANT = Actor(Role.RESTAURANT, "R1"), Actor(Role.RESTAURANT, "R2")
SHIPPER, OTHER_SHIPPER = Actor(Role.SHIPPER, "S1"), Actor(Role.SHIPPER, "S2")

ACTORS = (CUSTOMER, OTHER_CUSTOMER, RESTAURANT, OTHER_RESTAURANT, SHIPPER, OTHER_SHIPPER, ADMIN)
"""Every role, own and foreign; S1 is the shipper of every order that has one."""


class Tale:
    """An order with all of its events; each command comes a minute after the one before."""

    def __init__(self, placed: Change) -> None:
        self.order = placed.order
        self.events: tuple[OrderEvent, ...] = placed.events

    @property
    def now(self) -> datetime:
        return self.order.updated_at + timedelta(minutes=1)

    def then(self, command: Callable[[Order, datetime], Change]) -> "Tale":
        change = command(self.order, self.now)
        self.order, self.events = change.order, self.events + change.events
        return self

    def prepared(self) -> "Tale":
        return self.then(lambda order, at: order.prepare(by=RESTAURANT, at=at))

    def assigned(self, shipper_id: str = "S1") -> "Tale":
        return self.then(lambda order, at: order.assign_shipper(shipper_id, by=RESTAURANT, at=at))

    def sent_out(self) -> "Tale":
        return self.then(lambda order, at: order.send_out(by=SHIPPER, at=at))

    def delivered(self) -> "Tale":
        return self.then(lambda order, at: order.deliver(by=SHIPPER, at=at))

    def cancelled(self) -> "Tale":
        return self.then(lambda order, at: order.cancel(REASON, by=ADMIN, at=at))

    def paid(self) -> "Tale":
        return self.then(lambda order, at: order.record_payment(paid=True, by=ADMIN, at=at))

    def refund_asked(self, amount: str | None = None) -> "Tale":
        money = None if amount is None else eur(amount)
        return self.then(
            lambda order, at: order.request_refund(money, "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN, at=at)
        )

    def refund_answered(self, amount: str, *, made: bool = True) -> "Tale":
        return self.then(lambda order, at: order.answer_refund(eur(amount), made=made, at=at))

    def refund_repeated(self) -> "Tale":
        return self.then(lambda order, at: order.repeat_refunds(by=ADMIN, at=at))

    def refund_settled(self) -> "Tale":
        return self.then(lambda order, at: order.settle_refunds(by=ADMIN, at=at))

    def refund_failed(self, amount: str) -> "Tale":
        return self.then(lambda order, at: order.fail_refund(eur(amount), at=at))

    def declined(self) -> "Tale":
        return self.then(lambda order, at: order.record_payment(paid=False, by=ADMIN, at=at))


SITUATIONS: Mapping[str, Callable[[Tale], Tale]] = {
    "waiting": lambda tale: tale,
    "preparing": lambda tale: tale.prepared(),
    "preparing S1": lambda tale: tale.assigned(),
    "on_the_way S1": lambda tale: tale.assigned().sent_out(),
    "delivered S1": lambda tale: tale.assigned().sent_out().delivered(),
    "cancelled at once": lambda tale: tale.cancelled(),
    "cancelled on the way": lambda tale: tale.assigned().sent_out().cancelled(),
}
"""Every state, with the shipper assigned that it can have."""

PAYMENTS: Mapping[str, Callable[[], Tale]] = {
    "cash pending": lambda: Tale(place()),
    "cash failed": lambda: Tale(place()).declined(),
    "cash paid": lambda: Tale(place()).paid(),
    "card pending": lambda: Tale(place(PaymentMethod.CREDIT_CARD)),
    "card failed": lambda: Tale(place(PaymentMethod.CREDIT_CARD)).declined(),
    "card paid": lambda: Tale(place(PaymentMethod.DEBIT_CARD)).paid(),
}
"""Every way to pay and how far it is when the situation begins."""


def tale(situation: str, payment: str = "cash pending") -> Tale:
    return SITUATIONS[situation](PAYMENTS[payment]())


def order_in(situation: str, payment: str = "cash pending") -> Order:
    return tale(situation, payment).order


LIVES: dict[str, Tale] = {f"{s}, {p}": tale(s, p) for s in SITUATIONS for p in PAYMENTS} | {
    "many shippers": Tale(place()).prepared().assigned().assigned("S2").assigned().sent_out().delivered(),
    "paid late": Tale(place(PaymentMethod.DEBIT_CARD)).assigned().sent_out().delivered().declined().paid(),
    "cash after all": Tale(place()).declined().assigned().sent_out().delivered().declined().paid(),
    "a part refunded": tale("delivered S1", "card paid").refund_asked("5.50").refund_answered("5.50"),
    "all refunded in parts": tale("delivered S1", "card paid")
    .refund_asked("5.50")
    .refund_asked()
    .refund_answered("20")
    .refund_answered("5.50"),
    "a refund declined, and made later": tale("cancelled at once", "card paid")
    .refund_answered("25.50", made=False)
    .refund_repeated()
    .refund_answered("25.50"),
    "a refund failed after it was made, and made again": tale("cancelled at once", "card paid")
    .refund_answered("25.50")
    .refund_failed("25.50")
    .refund_repeated()
    .refund_answered("25.50"),
    "a part failed after it was refunded": tale("delivered S1", "card paid")
    .refund_asked("5.50")
    .refund_answered("5.50")
    .refund_asked("3")
    .refund_failed("5.50"),
    "a refund declined, and settled": tale("cancelled at once", "card paid")
    .refund_answered("25.50", made=False)
    .refund_settled(),
    "cancelled after a part was refunded": tale("preparing S1", "card paid")
    .refund_asked("5.50")
    .refund_answered("5.50")
    .cancelled()
    .refund_answered("20"),
    "cash handed back in parts": tale("preparing S1", "cash paid").refund_asked("5.50").cancelled(),
}
"""Whole lives: every situation with every payment, and some that take longer."""


NEXT: Mapping[OrderState, tuple[str, ...]] = {
    OrderState.WAITING_FOR_SHIPPER: ("preparing", "cancelled"),
    OrderState.PREPARING: ("on_the_way", "cancelled"),
    OrderState.ON_THE_WAY: ("delivered", "cancelled"),
    OrderState.DELIVERED: (),
    OrderState.CANCELLED: (),
}
"""The next states by the design's table, written out again."""
