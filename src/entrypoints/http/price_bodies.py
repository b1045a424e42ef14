"""The bodies of requests that change prices, which the command line reads from files, too."""

from typing import Annotated

from msgspec import Raw

from ...adapters.wire.fields import Amount
from ...application.prices.change_prices import PriceEntry
from ...domain.currency import MINOR_UNITS
from ...domain.errors import InvalidInput
from ...domain.money import Money, exact
from ...domain.prices import MAX_PRICES, Price, check_number
from ...domain.validation import MAX_NAME
from .body_fields import Body, amount_field, documented, id_field, text_field
from .parameters import parse_time
from .read_body import read_body


class PriceBody(Body):
    """The price of an item. ``available`` holds until the time ``until``, and then it is the other way round."""

    name: Annotated[str, text_field("the name that each order must have", "Pizza Margherita", MAX_NAME, 1)]
    price: Annotated[Amount, amount_field("the price of one", 12.5)]
    currency: Annotated[str, documented("a currency of ISO 4217", "USD", enum=[*MINOR_UNITS])] | None = None
    available: Annotated[bool, documented("whether it can be ordered", True)] = True
    until: Annotated[str, documented("RFC 3339 with a zone", "2024-01-01T22:00:00Z", format="date-time")] | None = None

    def of_item(self, item_id: str, currency: str) -> Price:
        """Build the price of ``item_id``, in ``currency`` if the body has none. Raises InvalidInput."""
        money = Money(exact(self.price, field="price"), currency if self.currency is None else self.currency)
        until = None if self.until is None else parse_time(self.until, "until")
        return Price(item_id=item_id, name=self.name, price=money, available=self.available, until=until)


class ItemPriceBody(PriceBody, kw_only=True):
    """The price of an item in a list."""

    item_id: Annotated[str, id_field("the item, which is the foodId of orders", "F1")]


class ReplacePrices(Body):
    """All prices of the restaurant, each item once."""

    prices: Annotated[
        list[Raw],
        documented(f"at most {MAX_PRICES} prices", maxItems=MAX_PRICES),
    ]

    def entries(self, currency: str) -> list[PriceEntry]:
        """Decode each price, or its error. Raises InvalidInput if they are too many."""
        check_number(len(self.prices))
        return [price_entry(f"prices/{n}", bytes(each), currency) for n, each in enumerate(self.prices)]


PRICE_BODIES = (PriceBody, ItemPriceBody, ReplacePrices)


def price_entry(place: str, body: bytes, currency: str) -> PriceEntry:
    """Decode one price of several; an entry with the error if it is none."""
    try:
        entry = read_body(body, ItemPriceBody)
        return PriceEntry(place, entry.of_item(entry.item_id, currency))
    except InvalidInput as error:
        return PriceEntry(place, error)
