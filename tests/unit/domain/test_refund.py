"""A refund is made when the gateway says so; until then the order shows that it is requested."""

from datetime import timedelta
from decimal import Decimal

import pytest
from orderflow.domain.actor import Actor
from orderflow.domain.currency import minor_units
from orderflow.domain.errors import GuardFailed, InvalidInput, NotPermitted
from orderflow.domain.events import PaymentProcessed
from orderflow.domain.money import Money
from orderflow.domain.payment import PaymentStatus
from orderflow.domain.refund import RefundBearer, Refunds, RefundStep

from tests.unit.domain.actors import (
    ADMIN,
    AT,
    CUSTOMER,
    LIVES,
    OTHER_RESTAURANT,
    RESTAURANT,
    SHIPPER,
    eur,
    order_in,
    tale,
)

LATER = AT + timedelta(days=1)


def test_a_cancelled_card_order_stays_paid_until_the_gateway_says_that_the_refund_is_made() -> None:
    life = tale("cancelled at once", "card paid")
    asked = life.order

    made = life.refund_answered("25.50").order

    assert (asked.payment.status, asked.refunded, asked.payment.refunds.requested) == (
        PaymentStatus.PAID,
        eur("0"),
        Decimal("25.50"),
    )
    assert (made.payment.status, made.refunded, made.payment.refunds.requested) == (
        PaymentStatus.REFUNDED,
        eur("25.50"),
        Decimal(0),
    )


def test_the_events_of_a_partial_refund_carry_its_amount_and_the_remainder() -> None:
    steps = [e for e in LIVES["all refunded in parts"].events if isinstance(e, PaymentProcessed) and e.refund]

    assert [(e.refund, e.amount, e.remainder, e.status, e.success) for e in steps] == [
        (RefundStep.REQUESTED, eur("5.50"), eur("25.50"), PaymentStatus.PAID, False),
        (RefundStep.REQUESTED, eur("20"), eur("25.50"), PaymentStatus.PAID, False),
        (RefundStep.SUCCEEDED, eur("20"), eur("5.50"), PaymentStatus.PAID, True),
        (RefundStep.SUCCEEDED, eur("5.50"), eur("0"), PaymentStatus.REFUNDED, True),
    ]
    assert (steps[0].reason, steps[0].borne_by, steps[0].by) == ("cold", RefundBearer.PLATFORM, "A1")


def test_a_declined_refund_can_be_asked_for_again_or_settled_by_hand() -> None:
    declined = tale("cancelled at once", "card paid").refund_answered("25.50", made=False).order

    again = declined.repeat_refunds(by=ADMIN, at=LATER).order
    settled = declined.settle_refunds(by=ADMIN, at=LATER).order

    assert declined.payment.refunds == Refunds(declined=Decimal("25.50"))
    assert declined.payment.status is PaymentStatus.PAID
    assert again.payment.refunds == Refunds(requested=Decimal("25.50"))
    assert settled.payment.status is PaymentStatus.REFUNDED


def test_a_refund_that_fails_after_it_was_made_is_declined_and_leaves_the_payment_paid() -> None:
    made = tale("cancelled at once", "card paid").refund_answered("25.50").order

    change = made.fail_refund(eur("25.50"), at=LATER)

    [event] = change.events
    assert isinstance(event, PaymentProcessed)
    assert (event.refund, event.status, event.success, event.remainder) == (
        RefundStep.FAILED,
        PaymentStatus.PAID,
        False,
        eur("25.50"),
    )
    assert change.order.payment.refunds == Refunds(declined=Decimal("25.50"))
    with pytest.raises(GuardFailed, match="no refund of that amount was made"):
        change.order.fail_refund(eur("0.01"), at=LATER)


@pytest.mark.parametrize("amount", ["0", "-1", "20.01", "1.001"])
def test_an_amount_out_of_bounds_is_refused(amount: str) -> None:
    order = LIVES["a part refunded"].order

    with pytest.raises(InvalidInput, match="amount"):
        order.request_refund(eur(amount), "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN, at=LATER)


@pytest.mark.parametrize("payment", ["card pending", "card failed", "cash pending"])
def test_what_was_not_paid_is_not_refunded(payment: str) -> None:
    order = order_in("preparing", payment)

    with pytest.raises(GuardFailed, match="only what was paid"):
        order.request_refund(None, "cold", borne_by=RefundBearer.PLATFORM, by=ADMIN, at=LATER)


@pytest.mark.parametrize(
    ("by", "bearer", "permitted"),
    [
        (ADMIN, RefundBearer.PLATFORM, True),
        (ADMIN, RefundBearer.COURIER, True),
        (RESTAURANT, RefundBearer.RESTAURANT, True),
        (RESTAURANT, RefundBearer.PLATFORM, False),
        (RESTAURANT, RefundBearer.COURIER, False),
        (OTHER_RESTAURANT, RefundBearer.RESTAURANT, False),
        (CUSTOMER, RefundBearer.RESTAURANT, False),
        (SHIPPER, RefundBearer.COURIER, False),
    ],
)
def test_an_admin_may_refund_and_the_restaurant_what_it_bears(by: Actor, bearer: RefundBearer, permitted: bool) -> None:
    order = order_in("delivered S1", "card paid")

    try:
        order.request_refund(eur("5"), "cold", borne_by=bearer, by=by, at=LATER)
    except NotPermitted:
        assert not permitted
    else:
        assert permitted


def test_only_an_admin_ends_a_declined_refund() -> None:
    declined = tale("cancelled at once", "card paid").refund_answered("25.50", made=False).order

    for command in (declined.repeat_refunds, declined.settle_refunds):
        with pytest.raises(NotPermitted):
            command(by=RESTAURANT, at=LATER)


def test_without_a_declined_refund_there_is_nothing_to_end() -> None:
    order = order_in("cancelled at once", "card paid")

    for command in (order.repeat_refunds, order.settle_refunds):
        with pytest.raises(GuardFailed, match="no refund of the order was declined"):
            command(by=ADMIN, at=LATER)


def test_a_refund_without_a_request_is_not_recorded_as_made() -> None:
    with pytest.raises(GuardFailed, match="no refund of that amount is asked for"):
        order_in("delivered S1", "card paid").answer_refund(eur("5"), made=True, at=LATER)


@pytest.mark.parametrize(
    ("amount", "currency", "number"),
    [("25.50", "EUR", 2550), ("1300", "JPY", 1300), ("1.5", "KWD", 1500), ("0.0001", "CLF", 1)],
)
def test_money_is_counted_in_the_minor_units_of_its_currency(amount: str, currency: str, number: int) -> None:
    assert minor_units(Money(Decimal(amount), currency)) == number


def test_half_a_yen_is_no_number_of_minor_units() -> None:
    with pytest.raises(InvalidInput, match="at most 0 decimals in JPY"):
        minor_units(Money(Decimal("12.5"), "JPY"))
