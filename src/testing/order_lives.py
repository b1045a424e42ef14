"""The parties of orders, and orders with all of their events, made by the commands themselves."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ..domain.actor import Actor, Role
from ..domain.events import OrderEvent
from ..domain.order import Change, Order
from ..domain.refund import RefundBearer
from .orders import ADMIN, REASON, eur

CUSTOMER, OTHER_CUSTOMER = Actor(Role.CUSTOMER, "C1"), Actor(Role.CUSTOMER, "C2")
RESTAURANT, OTHER_RESTAURANT = Actor(Role.RESTAURANT, "R1"), Actor(Role.RESTAURANT, "R2")
SHIPPER, OTHER_SHIPPER = Actor(Role.SHIPPER, "S1"), Actor(Role.SHIPPER, "S2")


class Tale:
    """An order with all of its events; each command comes a minute after the one before."""

    def __init__(self, placed: Change) -> None:
        self.order = placed.order
        self.events: tuple[OrderEvent, ...] = placed.events

    @property
    def change(self) -> Change:
        """All that has happened as one change."""
        return Change(self.order, self.events)

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
