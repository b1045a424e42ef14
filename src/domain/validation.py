"""Validation of a new order: its address, its lines, its delivery fee and its times, with the limits of each."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from attrs import frozen

from .currency import check_minor_units
from .errors import InvalidInput
from .events import OrderLine
from .money import Money, total_of
from .text import identifier, shown, text

MAX_LINES = 100
MAX_QUANTITY = 999
MAX_NAME = 200


@frozen(kw_only=True)
class Address:
    """The delivery address. It is personal data: it is stored with the order and never enters an event."""

    street: str
    city: str
    postal_code: str = ""
    note: str = ""

    def __attrs_post_init__(self) -> None:
        text(self.street, field="address/street", at_least=1, at_most=200)
        text(self.city, field="address/city", at_least=1, at_most=100)
        text(self.postal_code, field="address/postalCode", at_most=20)
        text(self.note, field="address/note", at_most=500)


def check_kinds(lines: object, total: object, address: object) -> tuple[OrderLine, ...]:
    """Return the lines as a tuple. Raises InvalidInput for what an application gives of another type."""
    if not isinstance(lines, Iterable):
        raise InvalidInput("orderDetails", f"it is a {type(lines).__name__}", "a sequence of OrderLine")
    checked = tuple(lines)
    for index, line in enumerate(checked):
        if not isinstance(line, OrderLine):
            raise InvalidInput(f"orderDetails/{index}", f"it is a {type(line).__name__}", "an OrderLine")
    if not isinstance(total, Money | None):
        raise InvalidInput("totalPrice", f"it is a {type(total).__name__}", "Money, or none")
    if not isinstance(address, Address | None):
        raise InvalidInput("address", f"it is a {type(address).__name__}", "an Address, or none")
    return checked


def check_lines(lines: Sequence[OrderLine], currency: str) -> None:
    """Check the limits and the currency of each line. Raises InvalidInput, which names the field of the line."""
    if not 1 <= len(lines) <= MAX_LINES:
        raise InvalidInput("orderDetails", f"{len(lines)} lines", f"1 to {MAX_LINES} lines")
    for index, line in enumerate(lines):
        at = f"orderDetails/{index}"
        identifier(line.food_id, field=f"{at}/foodId")
        text(line.food_name, field=f"{at}/foodName", at_least=1, at_most=MAX_NAME)
        if isinstance(line.quantity, bool) or not isinstance(line.quantity, int):
            raise InvalidInput(f"{at}/quantity", shown(line.quantity), f"a whole number, 1 to {MAX_QUANTITY}")
        if not 1 <= line.quantity <= MAX_QUANTITY:
            raise InvalidInput(f"{at}/quantity", shown(line.quantity), f"1 to {MAX_QUANTITY}")
        for amount, name in ((line.price, "price"), (line.discount, "discount")):
            if amount.currency != currency:
                raise InvalidInput(f"{at}/{name}", f"it is in {amount.currency}", f"an amount in {currency}")
        if line.price.amount < 0:
            raise InvalidInput(f"{at}/price", f"{line.price}", "0 or more")
        with _errors_name(f"{at}/price"):
            cost = line.price * line.quantity
        if not 0 <= line.discount.amount <= cost.amount:
            raise InvalidInput(f"{at}/discount", f"{line.discount}", f"0 to {cost}")


def check_amounts(lines: Sequence[OrderLine], total: Money | None) -> None:
    """Check that no amount has more decimals than its currency. Raises InvalidInput, which names the amount's field."""
    for index, line in enumerate(lines):
        check_minor_units(line.price, field=f"orderDetails/{index}/price")
        check_minor_units(line.discount, field=f"orderDetails/{index}/discount")
    if total is not None:
        check_minor_units(total, field="totalPrice")


def delivery_fee(lines: Sequence[OrderLine], currency: str, total: Money | None) -> Money:
    """Return what ``total`` exceeds the lines by; zero without a total. Raises InvalidInput, which names totalPrice."""
    with _errors_name("totalPrice"):
        goods = total_of((line.total for line in lines), currency)
        fee = Money.zero(currency) if total is None else total - goods
    if fee.amount < 0:
        raise InvalidInput("totalPrice", f"{total} is below the lines' {goods}", f"at least {goods}")
    if not (goods.amount or fee.amount):
        raise InvalidInput("totalPrice", "the order's total is 0", "more than 0")
    return fee


def utc(at: datetime) -> datetime:
    """Return ``at`` in UTC. Raises InvalidInput for a time without a zone, or outside the years 1 to 9999 in UTC."""
    if at.utcoffset() is None:
        raise InvalidInput("at", "a time without a zone", "an aware datetime")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidInput("at", f"{at.isoformat()} is out of range", "years 1 to 9999 in UTC") from None


def time_in(text: str, *, field: str, allowed: str) -> datetime:
    """Return the time that ``text`` gives, in UTC; without an offset it is UTC. Raises InvalidInput."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput(field, f"{shown(text)} is not a time", allowed) from None
    except OverflowError:
        raise InvalidInput(field, f"{shown(text)} is out of range", f"{allowed}; years 1 to 9999 in UTC") from None


@contextmanager
def _errors_name(field: str) -> Iterator[None]:
    """Raise each InvalidInput of the body again, with ``field`` as its field."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(field, error.problem, error.allowed) from error
