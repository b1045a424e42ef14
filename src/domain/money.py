"""Exact amounts with a currency. Floats are refused."""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import cache

from attrs import frozen

from .errors import InvalidInput
from .text import shown

MAX_DECIMALS = 4
"""The decimals of a stored amount. A new order's amounts have at most the decimals of their currency."""
MAX_AMOUNT = Decimal(10**12)
_RANGE = f"at most {MAX_DECIMALS} decimals, below 10^12"
CENT = Decimal("0.01")
_ONE = Decimal(1)
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
EXACT = Context(
    prec=60,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""The context of all arithmetic, wide enough for every product, whatever context the embedding application sets.

Every part is given, because the defaults are also the application's to set.
"""


def exact(value: object, *, field: str) -> Decimal:
    """Return a finite decimal of at most four places below 10^12, from Decimal, int or text.

    Raises InvalidInput for a float (it has already lost the amount), NaN, infinity, or too many digits.
    """
    if type(value) is Decimal and _is_exact(value):
        return value
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise InvalidInput(
            field, f"{shown(value)} is a {type(value).__name__}", "an exact decimal: Decimal, int or text"
        )
    if isinstance(value, str) and not _NUMBER.match(value):
        raise InvalidInput(field, f"{shown(value)} is no number", "a decimal number such as 12.50")
    try:
        amount = Decimal(value)
    except ArithmeticError:
        raise InvalidInput(field, f"{shown(value)} is out of range", _RANGE) from None
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -MAX_DECIMALS or amount.copy_abs() >= MAX_AMOUNT:
        raise InvalidInput(field, f"{shown(amount)} is out of range", _RANGE)
    if not amount:
        amount = amount.copy_abs()
    return amount if exponent <= 0 else amount.quantize(Decimal(1), context=EXACT)


def _is_exact(amount: Decimal) -> bool:
    """Return True for the amounts that are the most frequent, and that ``exact`` returns as they are."""
    return (
        bool(amount) and (amount.same_quantum(CENT) or amount.same_quantum(_ONE)) and -MAX_AMOUNT < amount < MAX_AMOUNT
    )


def check_currency(code: object) -> None:
    """Check that ``code`` is a currency code. Raises InvalidInput, which names ``currency``."""
    if not isinstance(code, str) or not _CURRENCY.match(code):
        raise InvalidInput("currency", f"{shown(code)} is no currency code", "an ISO 4217 code, such as USD")


@frozen(order=False)
class Money:
    """An ``amount`` in units of ``currency`` (ISO 4217 code). Amounts compare by value: 25.5 equals 25.50."""

    amount: Decimal
    currency: str

    def __attrs_post_init__(self) -> None:
        check_currency(self.currency)
        if (amount := exact(self.amount, field="amount")) is not self.amount:
            object.__setattr__(self, "amount", amount)

    @classmethod
    @cache
    def zero(cls, currency: str) -> "Money":
        return cls(Decimal(0), currency)

    def __add__(self, other: "Money") -> "Money":
        return self._result(EXACT.add(self.amount, self._same(other)))

    def __sub__(self, other: "Money") -> "Money":
        return self._result(EXACT.subtract(self.amount, self._same(other)))

    def __mul__(self, times: int) -> "Money":
        if not isinstance(times, int):
            return NotImplemented
        return self._result(EXACT.multiply(self.amount, times))

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def _result(self, amount: Decimal) -> "Money":
        """Return a result in the same currency; the sum or product of checked amounts can only exceed the bound."""
        if amount.copy_abs() >= MAX_AMOUNT:
            raise InvalidInput("amount", f"{shown(amount)} is out of range", _RANGE)
        result = object.__new__(Money)
        object.__setattr__(result, "amount", amount or amount.copy_abs())
        object.__setattr__(result, "currency", self.currency)
        return result

    def _same(self, other: "Money") -> Decimal:
        if other.currency != self.currency:
            raise InvalidInput("currency", f"{other.currency} does not mix with {self.currency}", self.currency)
        return other.amount


def total_of(amounts: Iterable[Money], currency: str) -> Money:
    """Return the sum of ``amounts``, zero if there are none. Raises InvalidInput for another currency."""
    return sum(amounts, start=Money.zero(currency))
