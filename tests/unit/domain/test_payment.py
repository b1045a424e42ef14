"""Payments: who may pay and when, the payment's states, and refunds."""

import pytest
from orderflow.domain.actor import Actor
from orderflow.domain.errors import GuardFailed, NotPermitted, OrderFlowError
from orderflow.domain.events import OrderCancelled, OrderDelivered, PaymentProcessed, StateChanged
from orderflow.domain.order import Order
from orderflow.domain.payment import PAYMENT_TRANSITIONS, PaymentMethod, PaymentStatus

from tests.unit.domain.actors import (
    ACTORS,
    ADMIN,
    CUSTOMER,
    REASON,
    SHIPPER,
    SITUATIONS,
    Tale,
    eur,
    order_in,
    place,
    tale,
)
from tests.unit.domain.grid import check, each_row, later

RECORDED_PAID = """
                                    C1 C2 R1 R2 S1 S2 A1
waiting              | cash pending | -  -  +  -  -  -  +
waiting              | cash failed  | -  -  +  -  -  -  +
waiting              | cash paid    | -  -  =  -  -  -  =
waiting              | card pending | +  -  -  -  -  -  +
waiting              | card failed  | +  -  -  -  -  -  +
waiting              | card paid    | =  -  -  -  -  -  =
preparing S1         | cash pending | -  -  +  -  +  -  +
preparing S1         | card pending | +  -  -  -  +  -  +
preparing S1         | card paid    | =  -  -  -  =  -  =
on_the_way S1        | cash pending | -  -  +  -  +  -  +
on_the_way S1        | card failed  | +  -  -  -  +  -  +
delivered S1         | cash pending | -  -  =  -  =  -  =
delivered S1         | cash failed  | -  -  +  -  +  -  +
delivered S1         | card pending | +  -  -  -  +  -  +
delivered S1         | card failed  | +  -  -  -  +  -  +
delivered S1         | card paid    | =  -  -  -  =  -  =
cancelled at once    | cash pending | -  -  g  -  -  -  g
cancelled at once    | cash paid    | -  -  g  -  -  -  g
cancelled at once    | card pending | g  -  -  -  -  -  g
cancelled at once    | card failed  | g  -  -  -  -  -  g
cancelled on the way | card paid    | g  -  -  -  -  -  g
"""

RECORDED_FAILED = """
                                    C1 C2 R1 R2 S1 S2 A1
waiting              | cash pending | -  -  +  -  -  -  +
waiting              | cash paid    | -  -  g  -  -  -  g
waiting              | card pending | +  -  -  -  -  -  +
waiting              | card failed  | +  -  -  -  -  -  +
waiting              | card paid    | g  -  -  -  -  -  g
delivered S1         | cash pending | -  -  g  -  g  -  g
delivered S1         | card failed  | +  -  -  -  +  -  +
delivered S1         | card paid    | g  -  -  -  g  -  g
cancelled on the way | card pending | g  -  -  -  -  -  g
cancelled on the way | card paid    | g  -  -  -  -  -  g
"""


@pytest.mark.parametrize(("situation", "payment", "signs"), each_row(RECORDED_PAID))
def test_a_payment_that_went_through(situation: str, payment: str, signs: str) -> None:
    order = order_in(situation, payment)

    done = check(order, signs, "record_payment", lambda by: order.record_payment(paid=True, by=by, **later(order)))

    assert all(change.order.payment.status is PaymentStatus.PAID for change in done)


@pytest.mark.parametrize(("situation", "payment", "signs"), each_row(RECORDED_FAILED))
def test_a_payment_that_failed(situation: str, payment: str, signs: str) -> None:
    order = order_in(situation, payment)

    done = check(order, signs, "record_payment", lambda by: order.record_payment(paid=False, by=by, **later(order)))

    assert all(change.order.payment.status is PaymentStatus.FAILED for change in done)


@pytest.mark.parametrize(("situation", "payment", "signs"), each_row(RECORDED_PAID))
def test_the_check_before_an_attempt_refuses_whom_the_record_would_refuse(
    situation: str, payment: str, signs: str
) -> None:
    order = order_in(situation, payment)

    def refusal(actor: Actor) -> type[OrderFlowError] | None:
        try:
            order.check_may_pay(by=actor)
        except OrderFlowError as error:
            return type(error)
        return None

    expected = {"-": NotPermitted, "g": GuardFailed}
    assert list(map(refusal, ACTORS)) == [expected.get(sign) for sign in signs.split()]


def test_a_payment_event_has_method_amount_and_success() -> None:
    order = order_in("waiting", "card pending")

    [event] = order.record_payment(paid=True, by=CUSTOMER, **later(order)).events

    assert isinstance(event, PaymentProcessed)
    assert (event.status, event.method, event.amount, event.success) == (
        PaymentStatus.PAID,
        PaymentMethod.CREDIT_CARD,
        eur("25.50"),
        True,
    )


def test_a_failed_payment_is_no_success() -> None:
    order = order_in("waiting", "card pending")

    [event] = order.record_payment(paid=False, by=CUSTOMER, **later(order)).events

    assert isinstance(event, PaymentProcessed)
    assert (event.status, event.success) == (PaymentStatus.FAILED, False)


def test_pending_cash_is_paid_by_the_delivery() -> None:
    order = order_in("on_the_way S1", "cash pending")

    change = order.deliver(by=SHIPPER, **later(order))

    assert change.order.payment.status is PaymentStatus.PAID
    assert [type(event) for event in change.events] == [StateChanged, PaymentProcessed, OrderDelivered]


@pytest.mark.parametrize("payment", ["cash failed", "cash paid", "card pending", "card failed", "card paid"])
def test_no_other_payment_changes_by_the_delivery(payment: str) -> None:
    order = order_in("on_the_way S1", payment)

    change = order.deliver(by=SHIPPER, **later(order))

    assert change.order.payment == order.payment
    assert [type(event) for event in change.events] == [StateChanged, OrderDelivered]


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s.split()[0] not in ("delivered", "cancelled")])
@pytest.mark.parametrize("payment", ["cash paid", "card paid"])
def test_cancelling_a_paid_order_gives_cash_back_and_asks_for_a_cards_refund(situation: str, payment: str) -> None:
    order = order_in(situation, payment)

    change = order.cancel(REASON, by=ADMIN, **later(order))

    assert change.order.payment.status is (PaymentStatus.PAID if "card" in payment else PaymentStatus.REFUNDED)
    assert change.order.refundable == eur("0")
    assert [type(event) for event in change.events] == [StateChanged, PaymentProcessed, OrderCancelled]


@pytest.mark.parametrize("payment", ["cash pending", "cash failed", "card pending", "card failed"])
def test_cancelling_an_unpaid_order_leaves_its_payment_alone(payment: str) -> None:
    order = order_in("preparing S1", payment)

    change = order.cancel(REASON, by=ADMIN, **later(order))

    assert change.order.payment == order.payment
    assert change.refund is None
    assert [type(event) for event in change.events] == [StateChanged, OrderCancelled]


def test_a_refund_of_a_card_asks_for_the_whole_amount() -> None:
    order = order_in("preparing", "card paid")

    change = order.cancel(REASON, by=ADMIN, **later(order))

    assert change.refund is not None
    assert (change.refund.amount, change.refund.success) == (eur("25.50"), False)


def test_cash_goes_back_by_hand_and_not_through_a_gateway() -> None:
    order = order_in("preparing", "cash paid")

    change = order.cancel(REASON, by=ADMIN, **later(order))

    assert change.refund is None


def test_a_payment_alone_asks_for_no_refund() -> None:
    order = order_in("waiting", "card pending")

    change = order.record_payment(paid=True, by=ADMIN, **later(order))

    assert change.refund is None


def test_a_failed_card_can_be_tried_again_until_it_is_paid() -> None:
    story = Tale(place(PaymentMethod.DEBIT_CARD))

    story.declined().declined().paid().paid()

    attempts = [event.status for event in story.events if isinstance(event, PaymentProcessed)]
    assert attempts == [PaymentStatus.FAILED, PaymentStatus.FAILED, PaymentStatus.PAID]


def test_what_is_paid_can_only_be_refunded_and_what_is_refunded_stays() -> None:
    paths = {status: set(after) for status, after in PAYMENT_TRANSITIONS.items()}

    assert paths == {
        PaymentStatus.PENDING: {PaymentStatus.PAID, PaymentStatus.FAILED},
        PaymentStatus.FAILED: {PaymentStatus.PAID, PaymentStatus.FAILED},
        PaymentStatus.PAID: {PaymentStatus.REFUNDED},
        PaymentStatus.REFUNDED: set(),
    }


def test_the_card_token_is_not_shown_with_the_order() -> None:
    order: Order = tale("waiting", "card pending").order

    assert order.payment.card_token == "tok_visa"
    assert "tok_visa" not in repr(order)
