"""Reading the prices of a restaurant."""

from attrs import frozen

from ...domain.actor import Actor
from ...domain.prices import PriceList
from .change_prices import READERS, check_may
from .ports import PriceLists


@frozen
class ReadPrices:
    """Returns the prices of a restaurant: to itself, to admins and to customers, who order by them.

    Raises PricesNotPermitted, InvalidInput, StorageUnavailable.
    """

    lists: PriceLists

    async def __call__(self, restaurant_id: str, *, by: Actor) -> PriceList:
        check_may("read", restaurant_id, by, readers=READERS)
        return await self.lists.get(restaurant_id)
