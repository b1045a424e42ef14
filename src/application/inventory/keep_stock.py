"""The consumer *inventory*, which takes stock for each order."""

from collections import Counter
from collections.abc import Sequence

from attrs import evolve, frozen

from ...domain.actor import Actor, Role
from ...domain.errors import CommandRefused, ConcurrentChange, OrderNotFound, Unavailable
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
    """Takes the foods of a created order from stock, or nothing at all if one of them is short.

    A cancelled order gives its foods back. A short order is cancelled through ``cancel``, with the correlation id of
    the event that created it. Foods without a stock are unlimited.
    """

    shortages: Shortages
    cancel: CancelShort
    clock: Clock
    name: str = "inventory"

    async def handle(self, deliveries: Sequence[Delivery], work: InventoryTransaction) -> None:
        """Reserve stock for created orders, and release it for cancelled ones."""
        relevant = [d for d in deliveries if isinstance(d.event, OrderCreated | OrderCancelled)]
        events = [d.event for d in relevant]
        if not events:
            return
        before = await work.reservations.reservations({event.order_id for event in events})
        decided: dict[str, Reservation] = dict(before)
        new = {e.order_id for e in events if isinstance(e, OrderCreated)} - before.keys()
        foods = {food for e in events if isinstance(e, OrderCreated) and e.order_id in new for food in _foods(e)}
        foods |= {food for e in events if isinstance(e, OrderCancelled) for food in _taken(before.get(e.order_id))}
        found = await work.reservations.stock(foods)
        left = dict(found)
        for delivery in relevant:
            event = delivery.event
            decision = decided.get(event.order_id)
            if isinstance(event, OrderCreated) and decision is None:
                decided[event.order_id] = _reserve(event, left, delivery.record)
            elif isinstance(event, OrderCancelled) and decision and decision.status is ReservationStatus.RESERVED:
                decided[event.order_id] = _release(decision, left)
        await work.reservations.put_stock({food: left[food] for food in left if left[food] != found[food]})
        await work.reservations.keep([r for order_id, r in decided.items() if r is not before.get(order_id)])

    async def settle(self) -> int:
        """Cancel the short orders, and return how many were settled. A refusal is stored as the outcome.

        Raises Unavailable; another failure, such as that of a row that cannot be read, after the others were settled.
        """
        short = await self.shortages.unsettled(SETTLED_AT_ONCE)
        settled = 0
        failed: Exception | None = None
        for reservation in short:
            try:
                with answering(caused_by(reservation.correlation_id, reservation.traceparent)):
                    await self.cancel(reservation.order_id, OUT_OF_STOCK, by=INVENTORY)
                outcome = "cancelled"
            except (CommandRefused, OrderNotFound) as refusal:
                outcome = f"refused: {refusal}"
            except ConcurrentChange:
                continue  # the next settle tries again
            except Unavailable:
                raise
            except Exception as failure:  # noqa: BLE001 - raised below
                failed = failed or failure
                continue
            await self.shortages.settle(reservation.order_id, outcome, self.clock())
            settled += 1
        if failed is not None:
            raise failed
        return settled


def _reserve(event: OrderCreated, left: dict[Food, int], record: LogRecord) -> Reservation:
    """Take the order's foods from ``left``, or nothing if one is short. Foods not in ``left`` are unlimited."""
    wanted = {food: quantity for food, quantity in _foods(event).items() if food in left}
    missing = sorted(
        food_id for (restaurant_id, food_id), quantity in wanted.items() if left[restaurant_id, food_id] < quantity
    )
    if not missing:
        for food, quantity in wanted.items():
            left[food] -= quantity
    return Reservation(
        order_id=event.order_id,
        restaurant_id=event.restaurant_id,
        status=ReservationStatus.SHORT if missing else ReservationStatus.RESERVED,
        taken={} if missing else {food_id: quantity for (_, food_id), quantity in wanted.items()},
        missing=tuple(missing),
        correlation_id=record.correlation_id,
        traceparent=record.traceparent,
    )


def _release(reservation: Reservation, left: dict[Food, int]) -> Reservation:
    """Give the foods back to ``left``, except those that no longer have a stock."""
    for food_id, quantity in reservation.taken.items():
        if (food := (reservation.restaurant_id, food_id)) in left:
            left[food] += quantity
    return evolve(reservation, status=ReservationStatus.RELEASED)


def _foods(event: OrderCreated) -> Counter[Food]:
    """Return the quantity of each food that the order contains."""
    foods: Counter[Food] = Counter()
    for line in event.lines:
        foods[event.restaurant_id, line.food_id] += line.quantity
    return foods


def _taken(reservation: Reservation | None) -> list[Food]:
    if reservation is None:
        return []
    return [(reservation.restaurant_id, food_id) for food_id in reservation.taken]
