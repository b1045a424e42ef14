"""The port of prices: the price lists of restaurants."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...domain.prices import Price, PriceList

Item = tuple[str, str]
"""The ids of a restaurant and of one of its items."""


class PriceLists(Protocol):
    """The price lists of all restaurants. Every method raises StorageUnavailable."""

    async def get(self, restaurant_id: str) -> PriceList:
        """Return the prices of a restaurant, by item; version 0 if it never had any."""
        ...

    async def find(self, items: Collection[Item]) -> Mapping[Item, Price]:
        """Return those of the prices that exist, in one query."""
        ...

    async def change(
        self,
        restaurant_id: str,
        put: Sequence[Price] = (),
        *,
        remove: Collection[str] = (),
        replace: bool = False,
        expected: int | None = None,
        at: datetime,
    ) -> tuple[PriceList, PriceList]:
        """Store ``put``, each in place of the item's earlier price, without the items in ``remove``.

        With ``replace`` nothing else is left. All happens, or nothing. A change that changes nothing leaves the version
        as it is. Returns the list before and after. Raises PriceListChanged if the list is not at version ``expected``;
        NotFound if an item of ``remove`` has no price; InvalidInput if the list would be too long.
        """
        ...

    async def any(self) -> bool:
        """Return whether any restaurant has a price."""
        ...
