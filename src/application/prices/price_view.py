"""The representation of prices for readers, which the API returns and the command line prints."""

from datetime import datetime
from decimal import Decimal

from attrs import frozen

from ...domain.prices import PriceList
from .change_prices import PriceChange


@frozen(kw_only=True)
class PriceView:
    """The price of one item, in units of ``currency``.

    ``available`` holds until the time ``until``, if there is one, and from then on it is the other way round.
    """

    item_id: str
    name: str
    price: Decimal
    currency: str
    available: bool
    until: datetime | None


@frozen(kw_only=True)
class PriceListView:
    """The prices of a restaurant, by item. ``version`` is the number of changes, 0 if it never had a price."""

    restaurant_id: str
    version: int
    prices: tuple[PriceView, ...]


@frozen(kw_only=True)
class PriceChangeView:
    """The numbers of prices that a change added, made different and removed, and the list's version after it."""

    restaurant_id: str
    version: int
    added: int
    changed: int
    removed: int


def list_view(found: PriceList) -> PriceListView:
    return PriceListView(
        restaurant_id=found.restaurant_id,
        version=found.version,
        prices=tuple(
            PriceView(
                item_id=it.item_id,
                name=it.name,
                price=it.price.amount,
                currency=it.price.currency,
                available=it.available,
                until=it.until,
            )
            for it in found.prices.values()
        ),
    )


def change_view(done: PriceChange) -> PriceChangeView:
    return PriceChangeView(
        restaurant_id=done.prices.restaurant_id,
        version=done.prices.version,
        added=done.added,
        changed=done.changed,
        removed=done.removed,
    )
