"""TODO."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...domain.actor import Actor
from ...domain.order import Order
from ..consuming.consumer import ConsumerTransaction
from .stock import Food, Reservation, StockItem


class ReservationStore(Protocol):
    async def reservations(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        """What was decided for each of these orders, by order."""
        ...

    async def stock(self, foods: Collection[Food]) -> Mapping[Food, int]:
        """What is left of those foods that are counted; nobody else changes them until this transaction ends."""
        ...

    async def put_stock(self, quantities: Mapping[Food, int]) -> None:
        """What is left now, of foods that ``stock`` told of in this transaction."""
        ...

    async def keep(self, reservations: Sequence[Reservation]) -> None:
        """Keep these, each in place of what was decided for its order."""
        ...


class InventoryTransaction(ConsumerTransaction, Protocol):
    """The transaction of the consumer *inventory*."""

    @property
    def reservations(self) -> ReservationStore: ...


class Stock(Protocol):
    """Quantities per restaurant and food. A food without one is not counted: there is always enough."""

    async def set(self, restaurant_id: str, food_id: str, quantity: int | None) -> None:
        """What may be ordered from now on; None: it is not counted any more. Raises InvalidInput."""
        ...

    async def get(self, restaurant_id: str, food_id: str) -> int | None: ...

    async def list(self, restaurant_id: str | None = None) -> Sequence[StockItem]:
        """By restaurant and food."""
        ...


class Shortages(Protocol):
    """What inventory decided for each order, and which orders are still to be cancelled for it."""

    async def unsettled(self, limit: int) -> Sequence[Reservation]:
        """Short orders without an outcome."""
        ...

    async def settle(self, order_id: str, outcome: str, at: datetime) -> None:
        """Note how the cancellation of a short order ended."""
        ...

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        """What was decided for these orders, by order."""
        ...


class CancelShort(Protocol):
    """The use-case CancelOrder, as inventory calls it."""

    async def __call__(self, order_id: str, reason: str, *, by: Actor) -> Order:
        """Raises CommandRefused, OrderNotFound, ConcurrentChange."""
        ...
