"""The price lists of restaurants in memory."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import define, field

from ...application.prices.ports import Item
from ...domain.prices import Price, PriceList


@define(eq=False)
class MemoryPriceLists:
    """A change does not await, so on one event loop it is atomic."""

    _lists: dict[str, PriceList] = field(factory=dict, init=False)

    async def get(self, restaurant_id: str) -> PriceList:
        return self._lists.get(restaurant_id) or PriceList(restaurant_id=restaurant_id, prices={})

    async def find(self, items: Collection[Item]) -> Mapping[Item, Price]:
        wanted = ((item, self._lists[item[0]].prices.get(item[1])) for item in items if item[0] in self._lists)
        return {item: price for item, price in wanted if price is not None}

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
        before = self._lists.get(restaurant_id) or PriceList(restaurant_id=restaurant_id, prices={})
        after = before.changed(put, remove=remove, replace=replace, expected=expected)
        if after is not before:
            self._lists[restaurant_id] = after
        return before, after

    async def any(self) -> bool:
        return any(it.prices for it in self._lists.values())
