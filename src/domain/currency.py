"""The currencies of ISO 4217 with their minor units, which new orders are checked against.

Stored orders and events are not checked: they stay readable after the standard has withdrawn their currency.
"""

from collections.abc import Mapping
from decimal import Decimal

from .errors import InvalidInput
from .money import CENT, EXACT, Money
from .text import shown

_BY_DECIMALS: Mapping[int, str] = {
    0: """
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    """,
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE
        CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
        HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK
        MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD
        RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH
        USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: """
        BHD IQD JOD KWD LYD OMR TND
    """,
    4: """
        CLF UYW
    """,
}
MINOR_UNITS: Mapping[str, int] = dict(sorted((code, n) for n, codes in _BY_DECIMALS.items() for code in codes.split()))
"""The decimals of each currency in list one of ISO 4217 as of 2026-01-01. Codes without minor units, such as XAU and
XXX, are no money that an order can be paid in. A test compares the table with the standard's list."""
_ALLOWED = "a currency of ISO 4217 that has minor units, such as EUR"


def check_currency_in_use(code: object) -> None:
    """Check that an order can be paid in ``code``. Raises InvalidInput, which names ``currency``."""
    if not isinstance(code, str) or code not in MINOR_UNITS:
        raise InvalidInput("currency", f"{shown(code)} is no currency in use", _ALLOWED)


def in_minor_units(money: Money) -> bool:
    """Return whether the amount is a whole number of minor units; zeros at its end do not matter."""
    decimals = MINOR_UNITS[money.currency]
    if decimals == 2 and money.amount.same_quantum(CENT):
        return True
    _, digits, exponent = money.amount.as_tuple()
    excess = -int(exponent) - decimals
    return excess <= 0 or not any(digits[-excess:])


def written_out(money: Money) -> str:
    """Return an amount as people write it, with at least the decimals of its currency: ``30.50 EUR``, ``1300 JPY``."""
    decimals = max(MINOR_UNITS.get(money.currency, 0), -int(money.amount.normalize(EXACT).as_tuple().exponent))
    return f"{EXACT.quantize(money.amount, EXACT.scaleb(Decimal(1), -decimals))} {money.currency}"


def minor_units(money: Money) -> int:
    """Return the amount in minor units, as payment providers count it: 2550 for 25.50 EUR, 1300 for 1300 JPY.

    Raises InvalidInput for a currency without minor units, or an amount that is no whole number of them.
    """
    check_currency_in_use(money.currency)
    if not in_minor_units(money):
        raise too_many_decimals(money, field="amount")
    return int(EXACT.scaleb(money.amount, MINOR_UNITS[money.currency]))


def too_many_decimals(money: Money, *, field: str) -> InvalidInput:
    """Return the refusal of an amount that is not in minor units."""
    allowed = f"at most {MINOR_UNITS[money.currency]} decimals in {money.currency}"
    return InvalidInput(field, f"{money} has too many decimals", allowed)
