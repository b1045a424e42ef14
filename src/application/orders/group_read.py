"""Group read: the orders that many commands read, in one query."""

from collections.abc import Sequence

from attrs import define, field

from ...domain.errors import OrderNotFound, Unavailable
from ...domain.order import Order
from ...domain.text import is_identifier
from .batching import Batcher, Batching, own
from .ports import OrderQueries


@define(eq=False)
class GroupRead:
    """Reads the orders that callers wait for in one query, and answers each caller for itself.

    If it fails, its halves are read, so that an order whose row cannot be read fails its own callers only.

    Raises OrderNotFound, StorageUnavailable, StorageBusy.
    """

    views: OrderQueries
    options: Batching = field(factory=Batching)
    _batcher: Batcher[str, Order] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._batcher = Batcher(self._read, self.options)

    async def __call__(self, order_id: str) -> Order:
        if not is_identifier(order_id):
            raise OrderNotFound(order_id)
        return await self._batcher(order_id)

    async def _read(self, order_ids: Sequence[str]) -> Sequence[Order | Exception]:
        try:
            found = await self.views.get_all(set(order_ids))
        except Unavailable as error:
            return [own(error) for _ in order_ids]
        except Exception as error:  # noqa: BLE001 (each caller gets its own)
            if len(order_ids) == 1:
                return [error]
            middle = len(order_ids) // 2
            return [*await self._read(order_ids[:middle]), *await self._read(order_ids[middle:])]
        return [found.get(it) or OrderNotFound(it) for it in order_ids]
