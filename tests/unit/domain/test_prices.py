"""A price within its bounds, when it is available, and which lines of an order differ from a list."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve
from orderflow.domain.errors import InvalidInput, LineProblem
from orderflow.domain.events import OrderLine
from orderflow.domain.money import Money
from orderflow.domain.prices import Price, check_price, refused_lines

from tests.unit.domain.actors import AT, eur, line

MINUTE = timedelta(minutes=1)
PIZZA = Price(item_id="food-001", name="Pizza Margherita", price=eur("12.50"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("itemId", {"item_id": ""}),
        ("itemId", {"item_id": "two words"}),
        ("itemId", {"item_id": "f" * 65}),
        ("itemId", {"item_id": "pizzä"}),
        ("itemId", {"item_id": "F1\x00"}),
        ("itemId", {"item_id": 7}),
        ("name", {"name": ""}),
        ("name", {"name": "  "}),
        ("name", {"name": "x" * 201}),
        ("name", {"name": "Pizza\x00"}),
        ("name", {"name": "Pizza\ud800"}),
        ("name", {"name": None}),
        ("price", {"price": eur("-0.01")}),
        ("price", {"price": Decimal(1)}),
        ("available", {"available": 1}),
        ("until", {"until": AT.replace(tzinfo=None)}),
        ("until", {"until": datetime.max.replace(tzinfo=timezone(-MINUTE))}),
        ("until", {"until": "tomorrow"}),
    ],
)
def test_a_price_outside_its_bounds_is_refused(field: str, value: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        evolve(PIZZA, **value)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "amount", "currency"),
    [("price", "12.505", "EUR"), ("price", "12.5", "JPY"), ("currency", "12", "XXX"), ("currency", "12", "ZZZ")],
)
def test_a_new_price_is_in_minor_units_of_a_currency_in_use(field: str, amount: str, currency: str) -> None:
    stored = evolve(PIZZA, price=Money(Decimal(amount), currency))

    with pytest.raises(InvalidInput) as refused:
        check_price(stored)

    assert refused.value.field == field
    check_price(evolve(PIZZA, price=Money(Decimal("12.5000"), "EUR")))


def test_an_item_is_available_or_not_until_a_time_and_then_the_other_way() -> None:
    times = (AT - MINUTE, AT, AT + MINUTE)

    for available in (True, False):
        always = evolve(PIZZA, available=available)
        until = evolve(PIZZA, available=available, until=AT.astimezone(timezone(timedelta(hours=9))))

        assert [always.available_at(at) for at in times] == [available] * 3
        assert [until.available_at(at) for at in times] == [available, not available, not available]
        assert until.until is not None
        assert until.until.tzinfo is UTC


@pytest.mark.parametrize(
    ("ordered", "price", "problem"),
    [
        (line(), PIZZA, None),
        (line("12.5"), PIZZA, None),
        (line(), None, LineProblem.NOT_LISTED),
        (line(), evolve(PIZZA, available=False), LineProblem.NOT_AVAILABLE),
        (line(), evolve(PIZZA, until=AT), LineProblem.NOT_AVAILABLE),
        (line(), evolve(PIZZA, available=False, until=AT), None),
        (line("12.49"), PIZZA, LineProblem.OTHER_PRICE),
        (line("12.51"), PIZZA, LineProblem.OTHER_PRICE),
        (line(), evolve(PIZZA, price=Money(Decimal("12.50"), "USD")), LineProblem.OTHER_PRICE),
        (line(), evolve(PIZZA, name="Lobster"), LineProblem.OTHER_NAME),
        (line(discount="0.01"), PIZZA, LineProblem.DISCOUNT),
    ],
)
def test_a_line_differs_from_the_list_in(ordered: OrderLine, price: Price | None, problem: LineProblem | None) -> None:
    prices = {} if price is None else {"food-001": price}

    refused = refused_lines([ordered], prices, at=AT, discounts=False)

    assert [it.problem for it in refused] == ([] if problem is None else [problem])


def test_a_refused_line_says_which_it_is_and_what_the_list_has_now() -> None:
    soup = Price(item_id="F2", name="Soup", price=eur("4.00"), available=False, until=AT + MINUTE)
    ordered = [line(), line("3.00", food_id="F2"), line(food_id="F3")]

    soup_line, unknown = refused_lines(ordered, {"food-001": PIZZA, "F2": soup}, at=AT, discounts=False)

    assert (soup_line.line, soup_line.item_id, soup_line.name) == (1, "F2", "Soup")
    assert (soup_line.price, soup_line.currency) == (Decimal("4.00"), "EUR")
    assert (soup_line.available, soup_line.until) == (False, AT + MINUTE)
    assert (unknown.line, unknown.item_id, unknown.name, unknown.price) == (2, "F3", None, None)


def test_who_may_give_discounts_gives_them_on_listed_prices_only() -> None:
    ordered = [line(discount="1.00"), line("1.00", discount="1.00")]

    refused = refused_lines(ordered, {"food-001": PIZZA}, at=AT, discounts=True)

    assert [(it.line, it.problem) for it in refused] == [(1, LineProblem.OTHER_PRICE)]
