"""The rule that a new order has the prices of its restaurant's list."""

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic

from attrs import define, field

from ...domain.actor import Actor, Role
from ...domain.errors import PricesRefused, Unavailable
from ...domain.order import Order
from ...domain.prices import Price, line_problem, refused_lines
from ..orders.batching import Batcher, Batching, own
from .ports import Item, PriceLists

FRESH_SECONDS = 1.0
"""The time for which a process relies on a price that it read, if an order agrees with it."""
MOST_KNOWN = 100_000
"""Prices that a process remembers. When there are more, it forgets all, and reads each again when it is ordered."""
DISCOUNTING = (Role.RESTAURANT, Role.ADMIN)
"""The roles that may give discounts on listed prices."""


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
        if self._agrees(order, by):
            return
        prices = await self._batcher({(order.restaurant_id, line.food_id) for line in order.lines})
        own_prices = {item: price for (restaurant, item), price in prices.items() if restaurant == order.restaurant_id}
        discounts = by.role in DISCOUNTING
        if refused := refused_lines(order.lines, own_prices, at=order.created_at, discounts=discounts):
            raise PricesRefused(order.restaurant_id, refused)

    def _agrees(self, order: Order, by: Actor) -> bool:
        """Return whether every line is as the prices have it that were read within the last second."""
        oldest, discounts = self.clock() - FRESH_SECONDS, by.role in DISCOUNTING
        for line in order.lines:
            read_at, price = self._known.get((order.restaurant_id, line.food_id), (oldest, None))
            if read_at <= oldest or line_problem(line, price, at=order.created_at, discounts=discounts) is not None:
                return False
        return True

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
