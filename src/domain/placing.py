"""What may be asked for when an order is placed, and its limits."""

from collections.abc import Sequence

from attrs import frozen

from .errors import InvalidInput
from .events import OrderLine
from .identifiers import identifier, text
from .money import Money

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


def check_lines(lines: Sequence[OrderLine]) -> None:
    if not 1 <= len(lines) <= MAX_LINES:
        raise InvalidInput("orderDetails", f"{len(lines)} lines", f"1 to {MAX_LINES} lines")
    for index, line in enumerate(lines):
        at = f"orderDetails/{index}"
        identifier(line.food_id, field=f"{at}/foodId")
        text(line.food_name, field=f"{at}/foodName", at_least=1, at_most=MAX_NAME)
        if isinstance(line.quantity, bool) or not isinstance(line.quantity, int):
            raise InvalidInput(f"{at}/quantity", f"{line.quantity!r}", f"a whole number, 1 to {MAX_QUANTITY}")
        if not 1 <= line.quantity <= MAX_QUANTITY:
            raise InvalidInput(f"{at}/quantity", f"{line.quantity}", f"1 to {MAX_QUANTITY}")
        zero = Money.zero(line.price.currency)
        if line.price < zero:
            raise InvalidInput(f"{at}/price", f"{line.price}", "0 or more")
        if not zero <= line.discount <= line.price * line.quantity:
            raise InvalidInput(f"{at}/discount", f"{line.discount}", f"0 to {line.price * line.quantity}")
