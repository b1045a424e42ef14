"""The types of an event's fields with their constraints, and the decoder for them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeVar

from msgspec import Meta
from msgspec.json import Decoder

from ...domain import validation
from ...domain.errors import InvalidInput
from ...domain.money import MAX_AMOUNT, MAX_DECIMALS, exact
from ...domain.order import MAX_REASON
from ...domain.text import MAX_IDENTIFIER
from ...domain.validation import MAX_NAME, MAX_QUANTITY

if TYPE_CHECKING:
    Amount = Decimal
else:

    class _IsDecimal(type):
        def __instancecheck__(cls, value: object) -> bool:
            return type(value) is Decimal

    class Amount(metaclass=_IsDecimal):
        """A Decimal that must be a JSON number. For Decimal itself, msgspec accepts JSON strings as well."""


# Patterns end in \Z, because $ allows a final line feed in Python. The JSON Schemas have $, which is strict there.
Identifier = Annotated[
    str,
    Meta(
        pattern=rf"^[!-~]{{1,{MAX_IDENTIFIER}}}\Z",
        description=f"1 to {MAX_IDENTIFIER} printable ASCII characters without spaces",
    ),
]
Customer = Annotated[
    str,
    Meta(
        pattern=rf"^[!-~]{{0,{MAX_IDENTIFIER}}}\Z",
        description=f"0 to {MAX_IDENTIFIER} printable ASCII characters without spaces",
    ),
]
Price = Annotated[
    Amount,
    Meta(description=f"a number of 0 or more, below 10^{MAX_AMOUNT.adjusted()}, with at most {MAX_DECIMALS} decimals"),
]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="an ISO 4217 code, such as USD")]
TIME = "an RFC 3339 time with its zone, such as 2024-01-01T12:00:00Z"
Time = Annotated[
    datetime,
    Meta(
        tz=True,
        description=TIME,
        extra_json_schema={"pattern": r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)\Z"},
    ),
]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY, description=f"a whole number, 1 to {MAX_QUANTITY}")]
Minutes = Annotated[int, Meta(ge=0, lt=2**31, description="a whole number of minutes, 0 or more, below 2^31")]


def _text(at_most: int) -> Meta:
    return Meta(
        min_length=1,
        max_length=at_most,
        pattern=r"^[^\x00-\x1f\x7f-\x9f]+\Z",
        description=f"text of 1 to {at_most} characters, without control characters",
    )


FoodName = Annotated[str, _text(MAX_NAME)]
Reason = Annotated[str, _text(MAX_REASON)]

T = TypeVar("T")


def decoder(kind: type[T]) -> Decoder[T]:
    """Build a decoder of ``kind`` that keeps amounts exact. It raises msgspec's errors and ArithmeticError."""
    return Decoder(kind, dec_hook=_amount, float_hook=Decimal)


def plain_value(value: object) -> object:
    """Return the text, whole number or time of a subclass, such as Django's SafeString, as what JSON has for it.

    For ``enc_hook``: msgspec encodes only the types themselves. Raises TypeError for other values.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"a {type(value).__name__} is no value of JSON")


def _amount(kind: type, value: object) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    if type(value) is not Decimal or kind is not Amount:
        raise ValueError("not a number")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -MAX_DECIMALS <= exponent <= 0 <= value < MAX_AMOUNT:
        return value
    try:
        value = exact(value, field="")
    except InvalidInput as error:
        raise ValueError(error.problem) from error
    if value < 0:
        raise ValueError("negative")
    return value


def utc(at: datetime) -> datetime:
    """Convert ``at`` to UTC. Raises InvalidInput without a zone, OverflowError outside the years 1 to 9999."""
    if at.tzinfo is UTC:
        return at
    return validation.utc(at) if at.tzinfo is None else at.astimezone(UTC)
