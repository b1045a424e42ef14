"""The ports of inventory: reservations within a transaction, stock, short orders, and cancelling an order."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ...domain.actor import Actor
from ...domain.order import Order
from ..consuming.consumer import ConsumerTransaction
from .stock import Food, Reservation, StockItem


class ReservationStore(Protocol):
    """Keeps reservations and stock, in the consumer's transaction."""

    async def reservations(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        """Return the reservations of these orders, by order."""
        ...

    async def stock(self, foods: Collection[Food]) -> Mapping[Food, int]:
        """Return the stock of those foods that have one, and lock it until this transaction ends."""
        ...

    async def put_stock(self, quantities: Mapping[Food, int]) -> None:
        """Store the quantities of foods that ``stock`` returned in this transaction."""
        ...

    async def keep(self, reservations: Sequence[Reservation]) -> None:
        """Store these, each in place of the earlier reservation of its order."""
        ...


class InventoryTransaction(ConsumerTransaction, Protocol):
    """The transaction of the consumer *inventory*."""

    @property
    def reservations(self) -> ReservationStore: ...


class Stock(Protocol):
    """Sets and reads the stock: a quantity per restaurant and food. A food without one is unlimited."""

    async def set(self, restaurant_id: str, food_id: str, quantity: int | None) -> None:
        """Set the quantity that may be ordered; None makes the food unlimited. Raises InvalidInput."""
        ...

    async def get(self, restaurant_id: str, food_id: str) -> int | None: ...

    async def list(self, restaurant_id: str | None = None) -> Sequence[StockItem]:
        """Return the stock by restaurant and food."""
        ...


class Shortages(Protocol):
    """Reads the reservations, and settles the orders that are short."""

    async def unsettled(self, limit: int) -> Sequence[Reservation]:
        """Return short orders without an outcome."""
        ...

    async def settle(self, order_id: str, outcome: str, at: datetime) -> None:
        """Store the outcome of cancelling a short order."""
        ...

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        """Return the reservations of these orders, by order."""
        ...


class CancelShort(Protocol):
    """Cancels an order; the use-case CancelOrder in practice."""

    async def __call__(self, order_id: str, reason: str, *, by: Actor) -> Order:
        """Cancel the order. Raises CommandRefused, OrderNotFound, ConcurrentChange."""
        ...
