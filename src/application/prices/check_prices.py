"""The shipped rules about the prices of a new order: they are trusted, or they are those of a price list."""

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic

from attrs import define, field, frozen

from ...domain.actor import Actor, Role
from ...domain.errors import PricesRefused, RefusedLine, Unavailable
from ...domain.order import Order
from ...domain.prices import Price, refused_lines
from ..orders.batching import Batcher, Batching, own
from .ports import Item, PriceLists

FRESH_SECONDS = 1.0
"""The time for which a process relies on a price that it read, if an order agrees with it."""
MOST_KNOWN = 100_000
"""Prices that a process remembers. When there are more, it forgets all, and reads each again when it is ordered."""
DISCOUNTING = (Role.RESTAURANT, Role.ADMIN)
"""The roles that may give discounts on listed prices."""


@frozen
class TrustPrices:
    """Believes every price: whoever places the order sets it."""

    async def check(self, order: Order, *, by: Actor) -> None:
        """Return."""


@define(eq=False)
class ListedPrices:
    """Requires each line to have the name and price of its item in the restaurant's list, and the item to be available.

    Discounts are for the restaurant and admins. The delivery fee is not in the list and is not checked. An order that
    agrees with prices that were read within the last second is accepted. Otherwise they are read anew, those of all
    orders that wait for them in one query; so an order is never refused because of an old price.
    """

    lists: PriceLists
    options: Batching = field(factory=Batching)
    clock: Callable[[], float] = monotonic
    _known: dict[Item, tuple[float, Price]] = field(factory=dict, init=False)
    _batcher: Batcher[Collection[Item], Mapping[Item, Price]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._batcher = Batcher(self._read, self.options)

    async def check(self, order: Order, *, by: Actor) -> None:
        items = {(order.restaurant_id, line.food_id) for line in order.lines}
        oldest = self.clock() - FRESH_SECONDS
        fresh = {item: self._known[item] for item in items if item in self._known}
        known = {item: price for item, (read_at, price) in fresh.items() if read_at > oldest}
        if len(known) == len(items) and not _refused(order, known, by):
            return
        if refused := _refused(order, await self._batcher(items), by):
            raise PricesRefused(order.restaurant_id, refused)

    def forget(self) -> None:
        """Read every price again, because one has changed."""
        self._known.clear()

    async def _read(self, wanted: Sequence[Collection[Item]]) -> Sequence[Mapping[Item, Price] | Exception]:
        began = self.clock()
        try:
            found = await self.lists.find({item for items in wanted for item in items})
        except Unavailable as error:
            return [own(error) for _ in wanted]
        if len(self._known) + len(found) > MOST_KNOWN:
            self._known.clear()
        self._known.update((item, (began, price)) for item, price in found.items())
        return [found] * len(wanted)


def _refused(order: Order, prices: Mapping[Item, Price], by: Actor) -> tuple[RefusedLine, ...]:
    own_prices = {item: price for (restaurant, item), price in prices.items() if restaurant == order.restaurant_id}
    return refused_lines(order.lines, own_prices, at=order.created_at, discounts=by.role in DISCOUNTING)
