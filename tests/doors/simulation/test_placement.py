"""The request that places an order of the day is always the same."""

import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal

import pytest
from attrs import evolve
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.errors import InvalidInput
from orderflow.domain.money import Money, total_of
from orderflow.domain.payment import PaymentMethod
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.placement import MENU, customer_of, placement

from .days import day, order

MANY = generate_day(600, 2)


def placements() -> list[NewOrder]:
    return [placement(MANY, one) for one in MANY.orders]


def test_an_orders_id_begins_with_the_name_of_its_day():
    placed = placement(day(order("o7")), order("o7"))

    assert placed.order_id == "small-o7"


def test_an_orders_id_begins_with_the_given_prefix():
    placed = placement(day(order("o7")), order("o7"), prefix="run-3/")

    assert placed.order_id == "run-3/o7"


def test_with_an_empty_prefix_the_id_is_that_of_the_day():
    placed = placement(day(order("o7")), order("o7"), prefix="")

    assert placed.order_id == "o7"


def test_an_id_that_becomes_too_long_is_refused():
    long = order("o" * 64)

    with pytest.raises(InvalidInput, match="orderId"):
        placement(day(long), long)


def test_the_restaurant_keeps_its_id_and_the_address_is_the_place():
    placed = placement(day(order(at=(500, 12.5))), order(at=(500, 12.5)))

    assert placed.restaurant_id == "r1"
    assert placed.address.street == "500 m east, 12.5 m north"
    assert placed.address.city == "small"


def test_a_customer_always_has_the_same_name_and_telephone_number():
    first, second = order("o1"), order("o2", placed=900, ready=900)

    annotations = [placement(day(each), each).annotations for each in (first, second)]

    assert annotations[0] == annotations[1]
    assert annotations[0].customer_name
    numbers = {each.annotations.customer_phone for each in placements()}
    assert [it for it in numbers if not re.fullmatch(r"\+1 \d{3} 555 01\d\d", it)] == []


def test_orders_to_the_same_place_have_the_same_customer():
    first, second = order("o1", at=(500, 12.0)), order("o2", at=(500.0, 12), placed=900, ready=900)

    assert customer_of(first) == customer_of(second)
    assert customer_of(first) != customer_of(order("o1", at=(12, 500)))


def test_a_customers_id_does_not_reveal_the_place():
    there = order(at=(9753, 8642))

    assert "9753" not in customer_of(there)
    assert "8642" not in customer_of(there)


def test_an_order_has_one_to_four_different_foods_of_the_menu():
    placed = placements()

    assert {len(new.lines) for new in placed} == {1, 2, 3, 4}
    assert all(len({line.food_id for line in new.lines}) == len(new.lines) for new in placed)
    assert {(line.food_id, line.food_name) for new in placed for line in new.lines} == {food[:2] for food in MENU}


def test_a_food_has_one_price_at_each_restaurant():
    prices = Counter()
    for restaurant, food, _ in {
        (new.restaurant_id, line.food_id, line.price.amount) for new in placements() for line in new.lines
    }:
        prices[restaurant, food] += 1

    assert set(prices.values()) == {1}


def test_every_amount_has_two_places():
    amounts = [
        amount.amount
        for new in placements()
        for amount in (new.total, *(value for line in new.lines for value in (line.price, line.discount)))
    ]

    assert {amount.as_tuple().exponent for amount in amounts} == {-2}


def test_some_lines_are_discounted_and_most_are_not():
    discounted = [line.discount.amount > 0 for new in placements() for line in new.lines]

    assert 0.05 < sum(discounted) / len(discounted) < 0.25


def test_the_total_is_the_lines_and_a_delivery_fee():
    fees = {
        new.total.amount - total_of((line.total for line in new.lines), new.currency).amount for new in placements()
    }

    assert min(fees) == Decimal("0.00")
    assert len(fees) > 3
    assert max(fees) < 5


def test_every_method_of_payment_is_used_and_a_card_always_works():
    placed = placements()

    methods = Counter(new.payment_method for new in placed)
    assert set(methods) == set(PaymentMethod)
    assert min(methods.values()) > len(placed) / 5
    assert {new.card_token for new in placed if new.payment_method is PaymentMethod.CASH} == {None}
    assert {new.card_token for new in placed if new.payment_method is not PaymentMethod.CASH} == {"tok_success"}


def test_the_currency_is_the_callers():
    placed = placement(day(order()), order(), currency="EUR")

    assert placed.currency == "EUR"
    assert isinstance(placed.total, Money)
    assert {placed.total.currency} | {line.price.currency for line in placed.lines} == {"EUR"}


def test_amounts_in_a_currency_without_decimals_are_whole_and_accepted():
    placed = placement(day(order()), order(), currency="JPY")

    assert placed.total.amount == 100 * placement(day(order()), order()).total.amount
    assert all(amount == int(amount) for line in placed.lines for amount in (line.price.amount, line.discount.amount))


def test_an_order_does_not_depend_on_the_rest_of_the_day():
    alone = evolve(MANY, orders=MANY.orders[5:6], couriers=())

    placed = placement(alone, MANY.orders[5])

    assert placed == placement(MANY, MANY.orders[5])


def test_another_process_builds_the_same_requests():
    code = (
        "from orderflow.entrypoints.simulation.generate_day import generate_day\n"
        "from orderflow.entrypoints.simulation.placement import placement\n"
        "day = generate_day(20, 4)\n"
        "print([placement(day, order) for order in day.orders])"
    )
    day_here = generate_day(20, 4)

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == repr([placement(day_here, one) for one in day_here.orders])
