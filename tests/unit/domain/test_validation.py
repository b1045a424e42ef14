"""Placing an order: what is asked for, its limits at their edges, and which field a refusal names."""

from decimal import Decimal

import pytest
from orderflow.domain.errors import InvalidInput
from orderflow.domain.events import OrderCreated, OrderLine
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.money import MAX_AMOUNT, Money
from orderflow.domain.order import MAX_REASON, Order
from orderflow.domain.payment import PaymentMethod, PaymentStatus
from orderflow.domain.validation import MAX_LINES, MAX_NAME, MAX_QUANTITY, Address

from tests.unit.domain.actors import ADMIN, AT, eur, line, order_in, place
from tests.unit.domain.grid import later

USD = Money(Decimal(1), "USD")
MOST = str(MAX_AMOUNT - 1)


def odd_line(**odd: object) -> OrderLine:
    plain = {"food_id": "F1", "food_name": "Soup", "price": eur("5"), "quantity": 1, "discount": eur("0")}
    return OrderLine(**(plain | odd))  # type: ignore[arg-type]


def test_a_new_order_waits_for_a_shipper_and_publishes_one_event() -> None:
    order, [event] = place().order, place().events

    assert (order.state, order.shipper_id, order.version) == (OrderState.WAITING_FOR_SHIPPER, None, 1)
    assert order.payment.status is PaymentStatus.PENDING
    assert event == OrderCreated(
        order_id="O1",
        customer_id="C1",
        sequence=1,
        occurred_at=AT,
        restaurant_id="R1",
        total=eur("25.50"),
        lines=(line(),),
    )


def test_what_the_total_exceeds_the_lines_by_is_the_delivery_fee() -> None:
    order = place(lines=[line("12.50", 2, "1.25"), line("3", 1)], total=eur("30")).order

    assert order.delivery_fee == eur("3.25")
    assert order.total == eur("30")


def test_without_a_total_there_is_no_fee() -> None:
    order = place(lines=[line("12.50", 2, "1.25"), line("3", 1)], total=None).order

    assert order.delivery_fee == eur("0")
    assert order.total == eur("26.75")


def test_a_total_of_exactly_the_lines_means_no_fee() -> None:
    assert place(total=eur("25")).order.delivery_fee == eur("0")


@pytest.mark.parametrize(
    "lines",
    [
        [line()] * MAX_LINES,
        [odd_line(quantity=1)],
        [odd_line(quantity=MAX_QUANTITY)],
        [odd_line(price=eur("0")), odd_line()],
        [odd_line(price=eur("0.01"))],
        [odd_line(discount=eur("4.99"))],
        [odd_line(discount=eur("5")), odd_line()],
        [odd_line(food_name="x" * MAX_NAME)],
        [odd_line(price=eur(MOST))],
        (odd_line() for _ in range(3)),
    ],
    ids=["100 lines", "1", "999", "free", "tiny", "discount", "all off", "long name", "dear", "generator"],
)
def test_an_order_at_the_edge_of_what_is_allowed_is_taken(lines: list[OrderLine]) -> None:
    change = place(lines=lines, total=None)

    assert change.order.lines == change.events[0].lines  # type: ignore[attr-defined]
    assert change.order.lines


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"id": ""}, "orderId"),
        ({"id": "x" * 65}, "orderId"),
        ({"customer_id": "a b"}, "userId"),
        ({"restaurant_id": "é"}, "restaurantId"),
        ({"currency": "euro"}, "currency"),
        ({"lines": []}, "orderDetails"),
        ({"lines": [line()] * 101, "total": None}, "orderDetails"),
        ({"lines": [line(), odd_line(food_id="")]}, "orderDetails/1/foodId"),
        ({"lines": [odd_line(food_name=" ")]}, "orderDetails/0/foodName"),
        ({"lines": [odd_line(food_name="x" * 201)]}, "orderDetails/0/foodName"),
        ({"lines": [odd_line(quantity=0)]}, "orderDetails/0/quantity"),
        ({"lines": [odd_line(quantity=1000)]}, "orderDetails/0/quantity"),
        ({"lines": [odd_line(quantity=10**5000)]}, "orderDetails/0/quantity"),
        ({"lines": [odd_line(quantity=True)]}, "orderDetails/0/quantity"),
        ({"lines": [odd_line(quantity=1.0)]}, "orderDetails/0/quantity"),
        ({"lines": [odd_line(quantity="1")]}, "orderDetails/0/quantity"),
        ({"lines": [odd_line(price=eur("-0.01"))]}, "orderDetails/0/price"),
        ({"lines": [line(), odd_line(price=USD, discount=USD)]}, "orderDetails/1/price"),
        ({"lines": [odd_line(price=eur(MOST), quantity=2)]}, "orderDetails/0/price"),
        ({"lines": [odd_line(discount=eur("-0.01"))]}, "orderDetails/0/discount"),
        ({"lines": [odd_line(discount=eur("5.01"))]}, "orderDetails/0/discount"),
        ({"lines": [odd_line(discount=USD)]}, "orderDetails/0/discount"),
        ({"lines": [odd_line(price=eur(MOST))] * 2, "total": None}, "totalPrice"),
        ({"lines": [odd_line(price=eur("0"))], "total": None}, "totalPrice"),
        ({"lines": [odd_line(discount=eur("5"))], "total": eur("0")}, "totalPrice"),
        ({"total": eur("24.9999")}, "totalPrice"),
        ({"total": USD}, "totalPrice"),
        ({"card_token": "tok"}, "cardToken"),
        ({"card_token": ""}, "cardToken"),
        ({"payment_method": PaymentMethod.CREDIT_CARD, "card_token": None}, "cardToken"),
        ({"payment_method": PaymentMethod.DEBIT_CARD, "card_token": ""}, "cardToken"),
        ({"payment_method": PaymentMethod.DEBIT_CARD, "card_token": "4111 1111"}, "cardToken"),
        ({"payment_method": PaymentMethod.DEBIT_CARD, "card_token": "4" * 65}, "cardToken"),
        ({"at": AT.replace(tzinfo=None)}, "at"),
    ],
)
def test_an_order_beyond_it_is_refused_with_the_name_of_the_field(asked: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        place(**asked)

    assert refused.value.field == field
    assert refused.value.allowed


def test_an_order_that_only_its_fee_costs_is_taken() -> None:
    order = place(lines=[odd_line(price=eur("0"))], total=eur("2.50")).order

    assert (order.total, order.delivery_fee) == (eur("2.50"), eur("2.50"))


def test_a_refused_card_token_is_not_repeated() -> None:
    with pytest.raises(InvalidInput) as refused:
        place(PaymentMethod.CREDIT_CARD, card_token="4111 1111 1111 1111")

    assert "4111" not in repr(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("token", [None, ""])
def test_a_card_method_says_that_it_needs_a_token(token: str | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        place(PaymentMethod.CREDIT_CARD, card_token=token)

    assert refused.value.problem == "credit_card without a card token"


@pytest.mark.parametrize("method", [PaymentMethod.CREDIT_CARD, PaymentMethod.DEBIT_CARD])
def test_a_card_method_with_a_token_is_taken(method: PaymentMethod) -> None:
    payment = place(method, card_token="tok_visa").order.payment

    assert (payment.method, payment.card_token) == (method, "tok_visa")


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ({"street": "", "city": "Hue"}, "address/street"),
        ({"street": "x" * 201, "city": "Hue"}, "address/street"),
        ({"street": "Main St 1", "city": " "}, "address/city"),
        ({"street": "Main St 1", "city": "x" * 101}, "address/city"),
        ({"street": "Main St 1", "city": "Hue", "postal_code": "1" * 21}, "address/postalCode"),
        ({"street": "Main St 1", "city": "Hue", "note": "x" * 501}, "address/note"),
        ({"street": "Main\nSt", "city": "Hue"}, "address/street"),
    ],
)
def test_an_address_out_of_bounds_names_its_field(address: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Address(**address)

    assert refused.value.field == field


@pytest.mark.parametrize(
    "address",
    [
        {"street": "1", "city": "Y"},
        {"street": "x" * 200, "city": "x" * 100, "postal_code": "1" * 20, "note": "x" * 500},
    ],
)
def test_an_address_at_the_edge_of_what_is_allowed_is_taken(address: dict[str, str]) -> None:
    order = place(address=Address(**address)).order

    assert order.address == Address(**address)


def test_no_event_has_the_address_or_the_card() -> None:
    home = Address(street="12 Secret Lane", city="Hue", postal_code="99999", note="third floor")
    order = place(PaymentMethod.CREDIT_CARD, address=home, card_token="tok_secret")

    story = repr(order.events + order.order.record_payment(paid=True, by=ADMIN, **later(order.order)).events)

    assert order.order.address == home
    assert not any(word in story for word in ("Secret", "99999", "third floor", "tok_secret"))


def test_a_reason_has_at_most_500_characters() -> None:
    order = order_in("waiting")

    taken = order.cancel("x" * MAX_REASON, by=ADMIN, **later(order))

    assert taken.order.cancel_reason == "x" * 500
    with pytest.raises(InvalidInput) as refused:
        order.cancel("x" * (MAX_REASON + 1), by=ADMIN, **later(order))
    assert refused.value.field == "reason"


@pytest.mark.parametrize("shipper_id", ["", "a b", "x" * 65])
def test_a_shipper_is_named_by_an_identifier(shipper_id: str) -> None:
    order = order_in("preparing")

    for ask in (Order.assign_shipper, lambda o, s, **how: o.send_out(shipper_id=s, **how)):
        with pytest.raises(InvalidInput) as refused:
            ask(order, shipper_id, by=ADMIN, **later(order))
        assert refused.value.field == "shipperId"


def test_the_same_placement_twice_has_no_differences() -> None:
    first, again = place(total=eur("25.5")).order, place(total=eur("25.50"), at=AT.replace(hour=13)).order

    assert first.differences(again) == ()


@pytest.mark.parametrize(
    ("asked", "differs"),
    [
        ({"customer_id": "C2"}, ("customer_id",)),
        ({"restaurant_id": "R2"}, ("restaurant_id",)),
        ({"lines": [line("12.49", 2)]}, ("lines", "delivery_fee")),
        ({"total": eur("26")}, ("delivery_fee",)),
        ({"address": Address(street="Main St 1", city="Hue")}, ("address",)),
        ({"payment_method": PaymentMethod.DEBIT_CARD, "card_token": "tok"}, ("payment method", "payment card_token")),
    ],
)
def test_other_content_is_named_field_by_field(asked: dict[str, object], differs: tuple[str, ...]) -> None:
    assert place().order.differences(place(**asked).order) == differs


def test_progress_is_no_difference() -> None:
    assert order_in("delivered S1").differences(place().order) == ()
