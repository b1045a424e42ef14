"""What may be asked for when an order is placed, and its limits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

from .errors import InvalidInput
from .events import OrderLine
from .money import Money, total_of
from .payment import PaymentMethod
from .text import identifier, shown, text

MAX_LINES = 100
MAX_QUANTITY = 999
MAX_NAME = 200


@frozen(kw_only=True)
class Address:
    """Where to. Personal: it is kept with the order and never enters an event."""

    street: str
    city: str
    postal_code: str = ""
    note: str = ""

    def __attrs_post_init__(self) -> None:
        text(self.street, field="address/street", at_least=1, at_most=200)
        text(self.city, field="address/city", at_least=1, at_most=100)
        text(self.postal_code, field="address/postalCode", at_most=20)
        text(self.note, field="address/note", at_most=500)


def check_lines(lines: Sequence[OrderLine], currency: str) -> None:
    """Raises InvalidInput that names the field of the line that is out of bounds, or in another currency."""
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
        with _named(f"{at}/price"):
            cost = line.price * line.quantity
        if not 0 <= line.discount.amount <= cost.amount:
            raise InvalidInput(f"{at}/discount", f"{line.discount}", f"0 to {cost}")


def delivery_fee(lines: Sequence[OrderLine], currency: str, total: Money | None) -> Money:
    """What ``total`` exceeds the lines by; zero without a total. Raises InvalidInput that names totalPrice."""
    with _named("totalPrice"):
        goods = total_of((line.total for line in lines), currency)
        fee = Money.zero(currency) if total is None else total - goods
    if fee.amount < 0:
        raise InvalidInput("totalPrice", f"{total} is below the lines' {goods}", f"at least {goods}")
    if not (goods.amount or fee.amount):
        raise InvalidInput("totalPrice", "the order's total is 0", "more than 0")
    return fee


def check_card(method: PaymentMethod, token: str | None) -> None:
    """A card method needs a token, cash has none. Raises InvalidInput, which never repeats the token."""
    if method is PaymentMethod.CASH:
        if token is not None:
            raise InvalidInput("cardToken", "a card token with cash", "none, or a card method")
        return
    if not token:
        raise InvalidInput("cardToken", f"{method} without a card token", "the gateway's token for the card")
    try:
        identifier(token, field="cardToken")
    except InvalidInput as error:
        raise InvalidInput("cardToken", "it is no token", error.allowed) from None


@contextmanager
def _named(field: str) -> Iterator[None]:
    """Arithmetic that is refused inside is the fault of ``field``."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(field, error.problem, error.allowed) from error
