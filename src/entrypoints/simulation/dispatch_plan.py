"""Plans a day: which actor does what with which order, to the second.

- The customer places the order at its placement time, and pays in the same second if it is paid by card.
- The restaurant starts to prepare it a minute later, or when it is ready or cancelled if that comes first.
- When it is ready, it is assigned to the nearest free courier on shift (straight-line distance to the restaurant; of
  equally near couriers, the one with the least id). The courier travels there, picks it up, delivers it, and is then
  free at the place of delivery.
- If no courier is free, the order waits in a queue: first ready, then first placed, then the least id.
- A courier accepts orders from the beginning of the shift until just before its end, and completes an accepted order.
- An order without a courier is cancelled when the maximum click-to-door time since placement has passed. From that
  second on it cannot be assigned, even if the restaurant needed longer than that to prepare it.

Travel times are rounded up to whole seconds.
"""

import heapq
from collections import Counter
from collections.abc import Container
from enum import IntEnum, StrEnum
from operator import attrgetter

from attrs import frozen

from ...domain.actor import Actor, Role
from .day import Day, DayOrder, Restaurant, seconds
from .geography import squared_distance, travel_seconds
from .placement import customer_of

ACCEPTANCE_SECONDS = 60
"""The time that a restaurant takes to start on a new order."""
NO_COURIER = "no_courier"
DISPATCH = Actor(Role.ADMIN, "dispatch")
"""The actor that cancels orders for which there is no courier."""


class StepAction(StrEnum):
    """An action on an order; each corresponds to a behaviour of ``domain.order.Order``."""

    PLACE = "place"
    PAY = "pay"
    PREPARE = "prepare"
    ASSIGN = "assign"
    SEND_OUT = "send_out"
    DELIVER = "deliver"
    CANCEL = "cancel"


@frozen(kw_only=True)
class Step:
    """One action of the plan.

    ``at`` is in seconds since midnight, ``order_id`` is the id within the day, ``number`` counts an order's steps
    from 1. ``shipper_id`` is set for assign, send_out and deliver, ``reason`` for cancel.
    """

    at: int
    order_id: str
    number: int
    action: StepAction
    actor: Actor
    shipper_id: str | None = None
    reason: str | None = None


def plan_day(day: Day, *, cards: Container[str] = frozenset()) -> tuple[Step, ...]:
    """Plan every step of ``day``, sorted by time, order and number. Every order ends delivered or cancelled.

    ``cards`` are the ids of the day's orders that are paid by card; the others have no step for the payment.
    The same day always has the same plan. The time it takes grows with the orders times the free couriers.
    """
    steps = _Dispatch(day, cards).run()
    return tuple(sorted(steps, key=attrgetter("at", "order_id", "number")))


class _Kind(IntEnum):
    """The kinds of scheduled events, in the order in which they are processed within one second."""

    COURIER_FREE = 0
    SHIFT_ENDS = 1
    TIME_LIMIT = 2
    READY = 3


_Scheduled = tuple[int, _Kind, str, float, float]
"""Time, kind, id of the courier or order, and the place of a courier who becomes free."""


class _Dispatch:
    """A discrete-event simulation of one day's couriers and orders."""

    def __init__(self, day: Day, cards: Container[str]) -> None:
        self._cards = cards
        self._parameters = day.parameters
        self._orders = {order.id: order for order in day.orders}
        self._couriers = {courier.id: courier for courier in day.couriers}
        self._restaurants = {restaurant.id: restaurant for restaurant in day.restaurants}
        self._pickup = seconds(day.parameters.pickup_minutes)
        self._dropoff = seconds(day.parameters.dropoff_minutes)
        self._time_limit = seconds(day.parameters.maximum_click_to_door)
        self._free: dict[str, tuple[float, float]] = {}
        self._queue: list[tuple[int, int, str]] = []
        self._unassigned = set(self._orders)
        self._schedule: list[_Scheduled] = []
        self._steps: list[Step] = []
        self._numbers = Counter[str]()

    def run(self) -> list[Step]:
        for order in self._orders.values():
            self._place(order)
        for courier in self._couriers.values():
            self._schedule.append((seconds(courier.on), _Kind.COURIER_FREE, courier.id, courier.x, courier.y))
            self._schedule.append((seconds(courier.off), _Kind.SHIFT_ENDS, courier.id, 0, 0))
        heapq.heapify(self._schedule)
        while self._schedule:
            now = self._schedule[0][0]
            while self._schedule and self._schedule[0][0] == now:
                self._process(heapq.heappop(self._schedule))
            self._assign_queued(now)
        return self._steps

    def _place(self, order: DayOrder) -> None:
        placed, ready = seconds(order.placed_at), seconds(order.ready_at)
        limit = placed + self._time_limit
        customer = Actor(Role.CUSTOMER, customer_of(order))
        self._step(order, placed, StepAction.PLACE, customer)
        if order.id in self._cards:
            self._step(order, placed, StepAction.PAY, customer)
        accepted = min(placed + ACCEPTANCE_SECONDS, ready, limit)
        self._step(order, accepted, StepAction.PREPARE, Actor(Role.RESTAURANT, order.restaurant))
        self._schedule.append((limit, _Kind.TIME_LIMIT, order.id, 0, 0))
        self._schedule.append((ready, _Kind.READY, order.id, 0, 0))

    def _process(self, scheduled: _Scheduled) -> None:
        now, kind, id_, x, y = scheduled
        if kind is _Kind.COURIER_FREE:
            if now < seconds(self._couriers[id_].off):
                self._free[id_] = (x, y)
        elif kind is _Kind.SHIFT_ENDS:
            self._free.pop(id_, None)
        elif id_ in self._unassigned:
            order = self._orders[id_]
            if kind is _Kind.READY:
                heapq.heappush(self._queue, (now, seconds(order.placed_at), id_))
            else:
                self._unassigned.discard(id_)
                self._step(order, now, StepAction.CANCEL, DISPATCH, reason=NO_COURIER)

    def _assign_queued(self, now: int) -> None:
        while self._queue:
            order = self._orders[self._queue[0][2]]
            if order.id in self._unassigned:
                if not self._free:
                    return
                self._assign(order, self._restaurants[order.restaurant], now)
            heapq.heappop(self._queue)

    def _assign(self, order: DayOrder, restaurant: Restaurant, now: int) -> None:
        pickup, dropoff = (restaurant.x, restaurant.y), (order.x, order.y)
        speed = self._parameters.metres_per_minute
        courier_id = min(self._free, key=lambda id_: (squared_distance(self._free[id_], pickup), id_))
        leaves = now + travel_seconds(self._free.pop(courier_id), pickup, speed) + self._pickup
        delivers = leaves + travel_seconds(pickup, dropoff, speed) + self._dropoff
        actor = Actor(Role.SHIPPER, courier_id)
        self._step(order, now, StepAction.ASSIGN, actor, shipper_id=courier_id)
        self._step(order, leaves, StepAction.SEND_OUT, actor, shipper_id=courier_id)
        self._step(order, delivers, StepAction.DELIVER, actor, shipper_id=courier_id)
        self._unassigned.discard(order.id)
        heapq.heappush(self._schedule, (delivers, _Kind.COURIER_FREE, courier_id, *dropoff))

    def _step(self, order: DayOrder, at: int, action: StepAction, actor: Actor, **more: str) -> None:
        self._numbers[order.id] += 1
        number = self._numbers[order.id]
        self._steps.append(Step(at=at, order_id=order.id, number=number, action=action, actor=actor, **more))
