"""The consumer *inventory*: what restaurants have left."""

from collections import Counter
from collections.abc import Sequence

from attrs import evolve, frozen

from ...domain.actor import Actor, Role
from ...domain.errors import CommandRefused, ConcurrentChange, OrderNotFound
from ...domain.events import OrderCancelled, OrderCreated
from ..clock import Clock
from ..event_log.records import Delivery, LogRecord
from ..request_context import answering, caused_by
from .ports import CancelShort, InventoryTransaction, Shortages
from .stock import Food, Reservation, ReservationStatus

OUT_OF_STOCK = "out_of_stock"
INVENTORY = Actor(Role.ADMIN, "inventory")
SETTLED_AT_ONCE = 100


@frozen
class KeepStock:
    """A created order takes what it wants of the foods that are counted, or nothing at all when one is short.

    A cancelled order gives back what it took. A short order is cancelled through ``cancel``, which carries the
    correlation id of the event that found it short.
    """

    shortages: Shortages
    cancel: CancelShort
    clock: Clock
    name: str = "inventory"

    async def handle(self, deliveries: Sequence[Delivery], work: InventoryTransaction) -> None:
        concerned = [d for d in deliveries if isinstance(d.event, OrderCreated | OrderCancelled)]
        events = [d.event for d in concerned]
        if not events:
            return
        before = await work.reservations.reservations({event.order_id for event in events})
        decided: dict[str, Reservation] = dict(before)
        new = {e.order_id for e in events if isinstance(e, OrderCreated)} - before.keys()
        foods = {food for e in events if isinstance(e, OrderCreated) and e.order_id in new for food in _wanted(e)}
        foods |= {food for e in events if isinstance(e, OrderCancelled) for food in _taken(before.get(e.order_id))}
        found = await work.reservations.stock(foods)
        left = dict(found)
        for delivery in concerned:
            event = delivery.event
            there = decided.get(event.order_id)
            if isinstance(event, OrderCreated) and there is None:
                decided[event.order_id] = _reserve(event, left, delivery.record)
            elif isinstance(event, OrderCancelled) and there and there.status is ReservationStatus.RESERVED:
                decided[event.order_id] = _release(there, left)
        await work.reservations.put_stock({food: left[food] for food in left if left[food] != found[food]})
        await work.reservations.keep([r for order_id, r in decided.items() if r is not before.get(order_id)])

    async def settle(self) -> int:
        """Cancel the short orders. One that is final already is left as it is, which is noted."""
        short = await self.shortages.unsettled(SETTLED_AT_ONCE)
        settled = 0
        for reservation in short:
            try:
                with answering(caused_by(reservation.correlation_id, reservation.traceparent)):
                    await self.cancel(reservation.order_id, OUT_OF_STOCK, by=INVENTORY)
                outcome = "cancelled"
            except (CommandRefused, OrderNotFound) as refusal:
                outcome = f"refused: {refusal}"
            except ConcurrentChange:
                continue  # the order is busy; the next settle asks again
            await self.shortages.settle(reservation.order_id, outcome, self.clock())
            settled += 1
        return settled


def _reserve(event: OrderCreated, left: dict[Food, int], record: LogRecord) -> Reservation:
    """Take from ``left``, or nothing; foods that are not counted there are always enough."""
    wanted = {food: quantity for food, quantity in _wanted(event).items() if food in left}
    missing = sorted(
        food_id for (restaurant_id, food_id), quantity in wanted.items() if left[restaurant_id, food_id] < quantity
    )
    if missing:
        return Reservation(
            order_id=event.order_id,
            restaurant_id=event.restaurant_id,
            status=ReservationStatus.SHORT,
            missing=tuple(missing),
            correlation_id=record.correlation_id,
            traceparent=record.traceparent,
        )
    for food, quantity in wanted.items():
        left[food] -= quantity
    return Reservation(
        order_id=event.order_id,
        restaurant_id=event.restaurant_id,
        status=ReservationStatus.RESERVED,
        taken={food_id: quantity for (_, food_id), quantity in wanted.items()},
        correlation_id=record.correlation_id,
        traceparent=record.traceparent,
    )


def _release(reservation: Reservation, left: dict[Food, int]) -> Reservation:
    """Give back to ``left``; a food that is no longer counted takes nothing back."""
    for food_id, quantity in reservation.taken.items():
        if (food := (reservation.restaurant_id, food_id)) in left:
            left[food] += quantity
    return evolve(reservation, status=ReservationStatus.RELEASED)


def _wanted(event: OrderCreated) -> Counter[Food]:
    wanted: Counter[Food] = Counter()
    for line in event.lines:
        wanted[event.restaurant_id, line.food_id] += line.quantity
    return wanted


def _taken(reservation: Reservation | None) -> list[Food]:
    if reservation is None:
        return []
    return [(reservation.restaurant_id, food_id) for food_id in reservation.taken]
