"""The recipients of each event: the table of the specification, written out cell by cell."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from attrs import evolve
from orderflow.adapters.notifications.templates import FileMessageTemplates
from orderflow.application.notifications.message_values import values_of
from orderflow.application.notifications.notification import Contact, Parties
from orderflow.application.notifications.notify import (
    RECIPIENTS,
    follow_parties,
    message_type,
    notified_roles,
    recipients,
)
from orderflow.domain.actor import Role
from orderflow.domain.errors import CorruptHistory, InvalidInput
from orderflow.domain.events import (
    EVENT_TYPES,
    OrderCancelled,
    OrderCreated,
    OrderDelivered,
    OrderEvent,
    OrderLine,
    PaymentProcessed,
    ShipperAssigned,
    StateChanged,
)
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentMethod, PaymentStatus
from orderflow.domain.refund import RefundStep

WHO = {"order_id": "o1", "customer_id": "C1", "sequence": 2, "occurred_at": datetime(2024, 5, 17, tzinfo=UTC)}
TEN = Money(Decimal("10.00"), "EUR")
LINE = OrderLine(food_id="F1", food_name="Soup", price=TEN, quantity=1, discount=Money.zero("EUR"))
UNASSIGNED = Parties(order_id="o1", customer_id="C1", restaurant_id="R1")
ASSIGNED = Parties(order_id="o1", customer_id="C1", restaurant_id="R1", shipper_id="S1")
C, R, S = "customer:C1", "restaurant:R1", "shipper:S1"


def payment(status: PaymentStatus) -> PaymentProcessed:
    return PaymentProcessed(**WHO, status=status, method=PaymentMethod.CASH, amount=TEN, success=True)


def refund(step: RefundStep) -> PaymentProcessed:
    return evolve(payment(PaymentStatus.PAID), method=PaymentMethod.DEBIT_CARD, refund=step, success=False)


CREATED = OrderCreated(**{**WHO, "sequence": 1}, restaurant_id="R1", total=TEN, lines=(LINE,))
MOVED = StateChanged(**WHO, old=OrderState.WAITING_FOR_SHIPPER, new=OrderState.PREPARING, by="R1")
GIVEN = ShipperAssigned(**WHO, shipper_id="S1", by="R1")
CANCELLED = OrderCancelled(**WHO, reason="out_of_stock", by="inventory", shipper_id="S1")
CANCELLED_UNASSIGNED = OrderCancelled(**WHO, reason="no time", by="C1")
DELIVERED = OrderDelivered(**WHO, shipper_id="S1", minutes=12)

TABLE: list[tuple[OrderEvent, Parties | None, list[str]]] = [
    (CREATED, None, [C, R]),
    (MOVED, UNASSIGNED, [C, R]),
    (MOVED, ASSIGNED, [C, R, S]),
    (GIVEN, UNASSIGNED, [C, R, S]),
    (payment(PaymentStatus.PAID), UNASSIGNED, [C, R]),
    (payment(PaymentStatus.PAID), ASSIGNED, [C, R, S]),
    (payment(PaymentStatus.FAILED), ASSIGNED, [C]),
    (payment(PaymentStatus.REFUNDED), ASSIGNED, [C]),
    (refund(RefundStep.REQUESTED), ASSIGNED, []),
    (refund(RefundStep.FAILED), ASSIGNED, [C]),
    (payment(PaymentStatus.PENDING), ASSIGNED, [C]),
    (CANCELLED, ASSIGNED, [C, R, S]),
    (CANCELLED, UNASSIGNED, [C, R, S]),
    (CANCELLED_UNASSIGNED, UNASSIGNED, [C, R]),
    (DELIVERED, ASSIGNED, [C, R]),
]


def test_the_table_speaks_of_every_event_and_every_outcome_of_a_payment() -> None:
    spoken_of = {type(event) for event, _, _ in TABLE}
    outcomes = {event.status for event, _, _ in TABLE if isinstance(event, PaymentProcessed)}

    assert spoken_of == set(EVENT_TYPES) == {*RECIPIENTS, PaymentProcessed}
    assert outcomes == set(PaymentStatus)


@pytest.mark.parametrize(("event", "before", "notified"), TABLE)
def test_exactly_the_affected_parties_are_notified(
    event: OrderEvent, before: Parties | None, notified: list[str]
) -> None:
    parties = follow_parties(before, event)

    assert [party for _, party in recipients(event, parties)] == notified


def test_a_new_shipper_is_notified_instead_of_the_previous_one() -> None:
    replaced = follow_parties(ASSIGNED, ShipperAssigned(**WHO, shipper_id="S2", by="R1"))

    assert [party for _, party in recipients(MOVED, replaced)] == [C, R, "shipper:S2"]


def test_an_order_without_its_first_event_has_no_recipients() -> None:
    with pytest.raises(CorruptHistory, match=r"no order.created"):
        follow_parties(None, MOVED)


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.RESTAURANT, Role.SHIPPER])
def test_there_is_a_message_for_each_event_and_role(role: Role) -> None:
    templates = FileMessageTemplates()

    for event, _, _ in TABLE:
        try:
            message = templates(role, values_of(event, ASSIGNED), event_type=message_type(event))
        except LookupError:
            assert role not in notified_roles(event), event
            continue
        assert "o1" in message.subject
        assert "\n" not in message.subject
        assert message.text.endswith("\n")
        assert "$" not in message.subject + message.text


def test_a_message_says_what_happened_in_words_that_people_use() -> None:
    templates = FileMessageTemplates()

    cancelled = templates(Role.CUSTOMER, values_of(CANCELLED, ASSIGNED), event_type=CANCELLED.type)
    delivered = templates(Role.RESTAURANT, values_of(DELIVERED, ASSIGNED), event_type=DELIVERED.type)
    paid = templates(Role.SHIPPER, values_of(payment(PaymentStatus.PAID), ASSIGNED), event_type=PaymentProcessed.type)
    created = templates(Role.CUSTOMER, values_of(CREATED, UNASSIGNED), event_type=CREATED.type)

    assert "Reason: something on it is out of stock" in cancelled.text
    assert "12 minutes after it was placed" in delivered.text
    assert paid.subject == "Order o1: the payment was received"
    assert "1 x Soup, 10.00 EUR" in created.text


@pytest.mark.parametrize(
    "email", ["", "c1", "@example.org", "c1@", "a b@example.org", "a@b@c", "c1@example.org\nBcc: x"]
)
def test_an_invalid_address_is_refused(email: str) -> None:
    with pytest.raises(InvalidInput, match="email"):
        Contact(party="customer:C1", email=email)


@pytest.mark.parametrize("party", ["", "C1", "customer", "customer:", "waiter:W1", "customer:C 1"])
def test_what_is_no_party_is_refused(party: str) -> None:
    with pytest.raises(InvalidInput):
        Contact(party=party, email="c1@example.org")
