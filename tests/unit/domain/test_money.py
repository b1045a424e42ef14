"""Amounts are exact, have a currency, and never were a float."""

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orderflow.domain.errors import InvalidInput
from orderflow.domain.money import MAX_AMOUNT, Money, exact, total_of

from tests.unit.domain.actors import eur


@pytest.mark.parametrize(
    "value",
    [
        25.5,
        float("nan"),
        float("inf"),
        True,
        None,
        [1],
        b"1",
        "NaN",
        "sNaN",
        "Infinity",
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        "",
        " 5 ",
        "1,50",
        "1_000",
        "٣",
        "12.50 EUR",
        "0x10",
        "1.00001",
        Decimal("0.00001"),
        "1000000000000",
        MAX_AMOUNT,
        -MAX_AMOUNT,
        10**5000,
        "1e1000000",
        "-1e1000000",
        "1e99999999999999999999",
        "9" * 5000,
    ],
    ids=lambda value: str(type(value).__name__) + ":" + (hex(value) if isinstance(value, int) else str(value))[:30],
)
def test_what_is_no_exact_amount_is_refused_in_a_short_sentence_that_names_the_field(value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        exact(value, field="orderDetails/0/price")

    assert refused.value.field == "orderDetails/0/price"
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("25.50", "25.50"),
        (25, "25"),
        (Decimal("0.0001"), "0.0001"),
        ("999999999999.9999", "999999999999.9999"),
        ("+1.", "1"),
        (".5", "0.5"),
        ("-3", "-3"),
        ("1e3", "1000"),
        ("2.5E+1", "25"),
        ("0E+9", "0"),
        ("1E+11", "100000000000"),
        ("-0", "0"),
        (Decimal("-0.00"), "0.00"),
    ],
)
def test_an_exact_amount_keeps_its_digits(value: object, amount: str) -> None:
    assert str(exact(value, field="amount")) == amount


def test_amounts_compare_by_value_and_keep_how_they_were_written() -> None:
    short, long = eur("25.5"), eur("25.50")

    assert short == long
    assert hash(short) == hash(long)
    assert (str(short), str(long)) == ("25.5 EUR", "25.50 EUR")


def test_the_same_amount_in_another_currency_is_another_amount() -> None:
    assert eur("1") != Money(Decimal(1), "USD")


@pytest.mark.parametrize("currency", ["eur", "EURO", "EU", "", "E1R", "EUR\n", "ÉUR", None, 978])
def test_a_currency_is_three_capital_letters(currency: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        Money(Decimal(1), currency)  # type: ignore[arg-type]

    assert refused.value.field == "currency"


def test_an_amount_of_money_is_checked_like_any_other() -> None:
    with pytest.raises(InvalidInput) as refused:
        Money(25.5, "EUR")  # type: ignore[arg-type]

    assert refused.value.field == "amount"


@pytest.mark.parametrize(
    "mix",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
        lambda a, b: total_of([a, b], "EUR"),
    ],
)
def test_two_currencies_never_mix(mix: object) -> None:
    with pytest.raises(InvalidInput, match=r"(USD|EUR) does not mix with (EUR|USD)") as refused:
        mix(eur("1"), Money(Decimal(1), "USD"))  # type: ignore[operator]

    assert refused.value.field == "currency"


def test_the_sum_of_nothing_is_zero_of_the_currency() -> None:
    assert total_of([], "JPY") == Money.zero("JPY")


def test_a_sum_that_is_too_large_is_refused() -> None:
    most = Money(MAX_AMOUNT - Decimal("0.0001"), "EUR")

    with pytest.raises(InvalidInput, match="out of range"):
        most + eur("0.0001")


def test_reckoning_is_exact_under_any_decimal_context() -> None:
    price = eur("123456789.1234")

    with decimal.localcontext(prec=3):
        cost = price * 999
        rest = cost - eur("0.0001") + eur("0.0002")

    assert str(cost) == "123333332334.2766 EUR"
    assert str(rest) == "123333332334.2767 EUR"


def test_no_arithmetic_uses_the_decimal_context_of_the_application() -> None:
    everything = decimal.Context(prec=1, traps=list(decimal.Context().flags))

    with decimal.localcontext(everything):
        amounts = [Money(Decimal(text), "EUR") for text in ("12.50", "-12.50", "7", "1234.567")]

    assert [str(it.amount) for it in amounts] == ["12.50", "-12.50", "7", "1234.567"]


amounts = st.decimals(min_value=-(10**6), max_value=10**6, places=2).map(lambda amount: Money(amount, "EUR"))


@given(amounts, amounts, st.integers(0, 999))
def test_money_adds_and_multiplies_like_whole_cents(one: Money, other: Money, times: int) -> None:
    cents = lambda money: int(money.amount * 100)  # noqa: E731

    assert cents(one + other) == cents(one) + cents(other)
    assert cents(one - other) == cents(one) - cents(other)
    assert cents(one * times) == cents(one) * times
    assert (one < other, one <= other) == (cents(one) < cents(other), cents(one) <= cents(other))
