"""Validation of a new order: its address, its lines, its delivery fee and its times, with the limits of each."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from attrs import frozen

from .annotations import Annotations
from .currency import in_minor_units, too_many_decimals
from .errors import InvalidInput
from .events import OrderLine
from .money import EXACT, Money
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


def check_kinds(lines: object, total: object, address: object, annotations: object) -> tuple[OrderLine, ...]:
    """Return the lines as a tuple. Raises InvalidInput for what an application gives of another type."""
    if not isinstance(lines, tuple | list | Iterable):  # the most frequent types are known soonest
        raise InvalidInput("orderDetails", f"it is a {type(lines).__name__}", "a sequence of OrderLine")
    checked = tuple(lines)
    for index, line in enumerate(checked):
        if not isinstance(line, OrderLine):
            raise InvalidInput(f"orderDetails/{index}", f"it is a {type(line).__name__}", "an OrderLine")
    if not isinstance(total, Money | None):
        raise InvalidInput("totalPrice", f"it is a {type(total).__name__}", "Money, or none")
    if not isinstance(address, Address | None):
        raise InvalidInput("address", f"it is a {type(address).__name__}", "an Address, or none")
    if not isinstance(annotations, Annotations | None):
        raise InvalidInput("annotations", f"it is a {type(annotations).__name__}", "Annotations, or none")
    return checked


def check_lines(lines: Sequence[OrderLine], currency: str) -> Money:
    """Check the limits and the currency of each line, and return the sum of their totals.

    Raises InvalidInput, which names the field of the line, or totalPrice if the sum is too large.
    """
    if not 1 <= len(lines) <= MAX_LINES:
        raise InvalidInput("orderDetails", f"{len(lines)} lines", f"1 to {MAX_LINES} lines")
    goods = Decimal(0)
    for index, line in enumerate(lines):
        try:
            goods = EXACT.add(goods, _checked_total(line, currency))
        except InvalidInput as error:
            raise InvalidInput(f"orderDetails/{index}/{error.field}", error.problem, error.allowed) from error
    return _total_price(lambda: Money(goods, currency))


def _checked_total(line: OrderLine, currency: str) -> Decimal:
    """Return the total of ``line``. Raises InvalidInput, which names its field."""
    identifier(line.food_id, field="foodId")
    text(line.food_name, field="foodName", at_least=1, at_most=MAX_NAME)
    quantity, price, discount = line.quantity, line.price, line.discount
    for name, amount in (("price", price), ("discount", discount)):
        if not isinstance(amount, Money):
            raise InvalidInput(name, f"it is a {type(amount).__name__}", "Money")
    if isinstance(quantity, bool) or not isinstance(quantity, int):
        raise InvalidInput("quantity", shown(quantity), f"a whole number, 1 to {MAX_QUANTITY}")
    if not 1 <= quantity <= MAX_QUANTITY:
        raise InvalidInput("quantity", shown(quantity), f"1 to {MAX_QUANTITY}")
    if price.currency != currency:
        raise InvalidInput("price", f"it is in {price.currency}", f"an amount in {currency}")
    if discount.currency != currency:
        raise InvalidInput("discount", f"it is in {discount.currency}", f"an amount in {currency}")
    if price.amount < 0:
        raise InvalidInput("price", f"{price}", "0 or more")
    try:
        cost = price * quantity
    except InvalidInput as error:
        raise InvalidInput("price", error.problem, error.allowed) from error
    if not 0 <= discount.amount <= cost.amount:
        raise InvalidInput("discount", f"{discount}", f"0 to {cost}")
    return EXACT.subtract(cost.amount, discount.amount)


def check_amounts(lines: Sequence[OrderLine], total: Money | None) -> None:
    """Check that no amount has more decimals than its currency. Raises InvalidInput, which names the amount's field."""
    for index, line in enumerate(lines):
        for name, amount in (("price", line.price), ("discount", line.discount)):
            if not in_minor_units(amount):
                raise too_many_decimals(amount, field=f"orderDetails/{index}/{name}")
    if total is not None and not in_minor_units(total):
        raise too_many_decimals(total, field="totalPrice")


def delivery_fee(goods: Money, total: Money | None) -> Money:
    """Return what ``total`` exceeds the lines by; zero without a total. Raises InvalidInput, which names totalPrice."""
    fee = Money.zero(goods.currency) if total is None else _total_price(lambda: total - goods)
    if fee.amount < 0:
        raise InvalidInput("totalPrice", f"{total} is below the lines' {goods}", f"at least {goods}")
    if not (goods.amount or fee.amount):
        raise InvalidInput("totalPrice", "the order's total is 0", "more than 0")
    return fee


def _total_price(compute: Callable[[], Money]) -> Money:
    """Return the result of ``compute``. Raises its InvalidInput with totalPrice as the field."""
    try:
        return compute()
    except InvalidInput as error:
        raise InvalidInput("totalPrice", error.problem, error.allowed) from error


def utc(at: datetime, *, field: str = "at") -> datetime:
    """Return ``at`` in UTC. Raises InvalidInput for a time without a zone, or outside the years 1 to 9999 in UTC."""
    if not isinstance(at, datetime):
        raise InvalidInput(field, f"it is a {type(at).__name__}", "an aware datetime")
    if at.utcoffset() is None:
        raise InvalidInput(field, f"{at.isoformat()} has no zone", "an aware datetime")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(field, f"{at.isoformat()} is out of range", "years 1 to 9999 in UTC") from None


def time_in(text: str, *, field: str, allowed: str) -> datetime:
    """Return the time that ``text`` gives, in UTC; without an offset it is UTC. Raises InvalidInput."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput(field, f"{shown(text)} is not a time", allowed) from None
    except OverflowError:
        raise InvalidInput(field, f"{shown(text)} is out of range", f"{allowed}; years 1 to 9999 in UTC") from None
