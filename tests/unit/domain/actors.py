"""The actors of the domain's tests, and orders brought to every situation by the commands themselves."""

from collections.abc import Callable, Mapping

from orderflow.domain.lifecycle import OrderState
from orderflow.domain.order import Order
from orderflow.domain.payment import PaymentMethod
from orderflow.testing import order_lives, orders

AT, ADMIN, REASON = orders.AT, orders.ADMIN, orders.REASON
eur, line, place = orders.eur, orders.line, orders.place
CUSTOMER, OTHER_CUSTOMER = order_lives.CUSTOMER, order_lives.OTHER_CUSTOMER
RESTAURANT, OTHER_RESTAURANT = order_lives.RESTAURANT, order_lives.OTHER_RESTAURANT
SHIPPER, OTHER_SHIPPER = order_lives.SHIPPER, order_lives.OTHER_SHIPPER
Tale = order_lives.Tale

ACTORS = (CUSTOMER, OTHER_CUSTOMER, RESTAURANT, OTHER_RESTAURANT, SHIPPER, OTHER_SHIPPER, ADMIN)
"""Every role, own and foreign; S1 is the shipper of every order that has one."""


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
