"""Stock and reservations in memory."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen

from ...application.inventory.stock import Food, Reservation, ReservationStatus, StockItem, check_stock
from .overlay import Overlay


@frozen
class MemoryReservationStore:
    _reservations: Overlay[str, Reservation]
    _stock: Overlay[Food, int]

    async def reservations(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        return self._reservations.among(order_ids)

    async def stock(self, foods: Collection[Food]) -> Mapping[Food, int]:
        return self._stock.among(foods)

    async def put_stock(self, quantities: Mapping[Food, int]) -> None:
        for food, quantity in quantities.items():
            self._stock.put(food, quantity)

    async def keep(self, reservations: Sequence[Reservation]) -> None:
        for reservation in reservations:
            self._reservations.put(reservation.order_id, reservation)

    def commit(self) -> None:
        self._reservations.keep()
        self._stock.keep()


@frozen
class MemoryStock:
    _stock: dict[Food, int]
    _lock: asyncio.Lock

    async def set(self, restaurant_id: str, food_id: str, quantity: int | None) -> None:
        check_stock(restaurant_id, food_id, quantity)
        async with self._lock:
            if quantity is None:
                self._stock.pop((restaurant_id, food_id), None)
            else:
                self._stock[restaurant_id, food_id] = quantity

    async def get(self, restaurant_id: str, food_id: str) -> int | None:
        return self._stock.get((restaurant_id, food_id))

    async def list(self, restaurant_id: str | None = None) -> Sequence[StockItem]:
        return [
            StockItem(restaurant_id=at, food_id=food_id, quantity=quantity)
            for (at, food_id), quantity in sorted(self._stock.items())
            if restaurant_id in (None, at)
        ]


@frozen
class MemoryShortages:
    _reservations: dict[str, Reservation]
    _lock: asyncio.Lock

    async def unsettled(self, limit: int) -> Sequence[Reservation]:
        short = (it for it in self._reservations.values() if it.status is ReservationStatus.SHORT and not it.outcome)
        return sorted(short, key=lambda it: it.order_id)[:limit]

    async def settle(self, order_id: str, outcome: str, at: datetime) -> None:
        async with self._lock:
            self._reservations[order_id] = evolve(self._reservations[order_id], outcome=outcome, settled_at=at)

    async def of_orders(self, order_ids: Collection[str]) -> Mapping[str, Reservation]:
        return {order_id: self._reservations[order_id] for order_id in order_ids if order_id in self._reservations}
