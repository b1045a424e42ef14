"""An order is paid in a currency of ISO 4217, in whole minor units of it."""

from decimal import Decimal

import iso4217
import pytest
from orderflow.domain.currency import MINOR_UNITS
from orderflow.domain.errors import InvalidInput
from orderflow.domain.events import OrderCreated, OrderLine
from orderflow.domain.history import fold
from orderflow.domain.money import Money
from orderflow.domain.order import Change

from tests.unit.domain.actors import AT, place


def test_the_table_is_the_standards_list_without_the_codes_that_have_no_minor_units() -> None:
    standard = {it.code: it.exponent for it in iso4217.Currency}

    assert {code: units for code, units in standard.items() if units is not None} == MINOR_UNITS


@pytest.mark.parametrize("currency", ["ZZZ", "XXX", "XAU", "XTS", "BGN", "ANG", "HRK", "DEM", "eur", "EUR ", "", None])
def test_an_order_in_no_currency_in_use_is_refused(currency: object) -> None:
    with pytest.raises(InvalidInput, match="is no currency in use; allowed: a currency of ISO 4217") as refused:
        place(currency=currency)

    assert refused.value.field == "currency"


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        ("JPY", "1250"),
        ("JPY", "1250.0"),
        ("JPY", "1250.0000"),
        ("USD", "12.5"),
        ("USD", "0.01"),
        ("USD", "12.5000"),
        ("KWD", "12.125"),
        ("CLF", "0.0001"),
    ],
)
def test_an_amount_of_whole_minor_units_is_accepted(currency: str, amount: str) -> None:
    change = priced(currency, amount)

    assert change.order.total.amount == Decimal(amount)


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", "12.5"), ("JPY", "0.1"), ("USD", "0.0001"), ("USD", "12.505"), ("KWD", "1.0001")]
)
@pytest.mark.parametrize("field", ["orderDetails/0/price", "orderDetails/0/discount", "totalPrice"])
def test_an_amount_with_a_part_of_a_minor_unit_is_refused(currency: str, amount: str, field: str) -> None:
    amounts = {"orderDetails/0/price": "100", "orderDetails/0/discount": "0", "totalPrice": "200", field: amount}
    if field == "totalPrice":
        amounts[field] = str(Decimal(200) + Decimal(amount))

    with pytest.raises(InvalidInput, match=f"at most {MINOR_UNITS[currency]} decimals in {currency}") as refused:
        priced(currency, amounts["orderDetails/0/price"], amounts["orderDetails/0/discount"], amounts["totalPrice"])

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("currency", "amount"), [("ZZZ", "12.50"), ("BGN", "12.50"), ("JPY", "12.5"), ("USD", "0.0001")]
)
def test_an_order_that_an_earlier_release_accepted_stays_readable(currency: str, amount: str) -> None:
    money = Money(Decimal(amount), currency)
    line = OrderLine(food_id="F1", food_name="Pizza", price=money, quantity=1, discount=Money.zero(currency))
    created = OrderCreated(
        order_id="O1", customer_id="C1", sequence=1, occurred_at=AT, restaurant_id="R1", total=money, lines=(line,)
    )

    facts = fold([created])

    assert facts.total == money


def priced(currency: str, price: str, discount: str = "0", total: str | None = None) -> Change:
    line = OrderLine(
        food_id="F1",
        food_name="Pizza",
        price=Money(Decimal(price), currency),
        quantity=1,
        discount=Money(Decimal(discount), currency),
    )
    return place(currency=currency, lines=[line], total=None if total is None else Money(Decimal(total), currency))
