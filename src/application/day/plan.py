"""A day lived on paper: who does what with which order, to the second.

- The customer places the order at its placement time, and in the same second pays if it is by card.
- The restaurant starts to prepare it a minute later, or as soon as it is ready or cancelled, if that comes first.
- When it is ready, the nearest courier (straight to the restaurant, among equals the least id) who is on shift and
  free takes it, goes there, picks it up, leaves, and hands it over. Then they are free again, where they are.
- Where nobody is free it waits: first ready first, then first placed, then the least id.
- A courier takes orders from the beginning of the shift until just before its end, and finishes what they took.
- When the maximum click-to-door time has passed since placement without a courier, it is cancelled. In that very
  second nobody takes it any more; a restaurant that needs longer than that is no different.

A way takes its length at the day's speed, a part of a second counting as a whole one.
"""

import heapq
import math
from collections import Counter
from collections.abc import Container
from enum import IntEnum, StrEnum
from operator import attrgetter

from attrs import frozen

from ...domain.actor import Actor, Role
from .day import Courier, Day, DayOrder, Restaurant, seconds
from .nearest import Nearest
from .placement import customer_of

ACCEPTANCE_SECONDS = 60
"""How long a restaurant takes to see a new order and start on it."""
NO_COURIER = "no_courier"
DISPATCH = Actor(Role.ADMIN, "dispatch")
"""Who cancels what nobody can bring."""


class StepAction(StrEnum):
    """What is done with an order. Behind each stands a behaviour of ``domain.order.Order``."""

    PLACE = "place"
    PAY = "pay"
    PREPARE = "prepare"
    ASSIGN = "assign"
    SEND_OUT = "send_out"
    DELIVER = "deliver"
    CANCEL = "cancel"


@frozen(kw_only=True)
class Step:
    """``at`` is in seconds since midnight, ``order_id`` as the day has it, ``number`` counts an order's steps from 1.

    ``shipper_id`` stands on assign, send_out and deliver, ``reason`` on cancel.
    """

    at: int
    order_id: str
    number: int
    action: StepAction
    actor: Actor
    shipper_id: str | None = None
    reason: str | None = None


def plan_day(day: Day, *, cards: Container[str] = frozenset()) -> tuple[Step, ...]:
    """Every step of ``day`` by time, then order, then number. Every order ends delivered or cancelled.

    ``cards`` are the ids of the day's orders that are paid by card; the others have no step for paying.
    The same day gives the same plan. With n orders and couriers it takes about n log n.
    """
    steps = _Dispatch(day, cards).run()
    return tuple(sorted(steps, key=attrgetter("at", "order_id", "number")))


def travel_seconds(start: tuple[float, float], end: tuple[float, float], metres_per_minute: float) -> int:
    """How long the straight way takes; a part of a second counts as a whole one. Points are in metres."""
    # A root of a sum of squares is the same on every machine, which math.hypot does not promise.
    dx, dy = end[0] - start[0], end[1] - start[1]
    return math.ceil(math.sqrt(dx * dx + dy * dy) * 60 / metres_per_minute)


class _Kind(IntEnum):
    """What can happen, in the order in which it is looked at within one second; then who is free takes what waits."""

    FREE = 0
    SHIFT_ENDS = 1
    TOO_LATE = 2
    READY = 3


_Happening = tuple[int, _Kind, str, float, float]
"""When, what, to which courier or order, and where (a courier who becomes free)."""


class _Dispatch:
    """The couriers and orders of one day at the current second."""

    def __init__(self, day: Day, cards: Container[str]) -> None:
        self._cards = cards
        self._parameters = day.parameters
        self._orders = {order.id: order for order in day.orders}
        self._couriers = {courier.id: courier for courier in day.couriers}
        self._restaurants = {restaurant.id: restaurant for restaurant in day.restaurants}
        self._pickup = seconds(day.parameters.pickup_minutes)
        self._dropoff = seconds(day.parameters.dropoff_minutes)
        self._patience = seconds(day.parameters.maximum_click_to_door)
        self._free = Nearest(cell=_cell(day))
        self._waiting: list[tuple[int, int, str]] = []
        self._open = set(self._orders)
        self._ahead: list[_Happening] = []
        self._steps: list[Step] = []
        self._numbers = Counter[str]()

    def run(self) -> list[Step]:
        for order in self._orders.values():
            self._begin(order)
        for courier in self._couriers.values():
            self._ahead.append((seconds(courier.on), _Kind.FREE, courier.id, courier.x, courier.y))
            self._ahead.append((seconds(courier.off), _Kind.SHIFT_ENDS, courier.id, 0, 0))
        heapq.heapify(self._ahead)
        while self._ahead:
            now = self._ahead[0][0]
            while self._ahead and self._ahead[0][0] == now:
                self._happen(heapq.heappop(self._ahead))
            self._hand_out(now)
        return self._steps

    def _begin(self, order: DayOrder) -> None:
        placed, ready = seconds(order.placed_at), seconds(order.ready_at)
        too_late = placed + self._patience
        customer = Actor(Role.CUSTOMER, customer_of(order))
        self._step(order, placed, StepAction.PLACE, customer)
        if order.id in self._cards:
            self._step(order, placed, StepAction.PAY, customer)
        accepted = min(placed + ACCEPTANCE_SECONDS, ready, too_late)
        self._step(order, accepted, StepAction.PREPARE, Actor(Role.RESTAURANT, order.restaurant))
        self._ahead.append((too_late, _Kind.TOO_LATE, order.id, 0, 0))
        self._ahead.append((ready, _Kind.READY, order.id, 0, 0))

    def _happen(self, happening: _Happening) -> None:
        now, kind, who, x, y = happening
        if kind is _Kind.FREE:
            if now < seconds(self._couriers[who].off):
                self._free.put(who, x, y)
        elif kind is _Kind.SHIFT_ENDS:
            self._free.drop(who)
        elif who in self._open:
            order = self._orders[who]
            if kind is _Kind.READY:
                heapq.heappush(self._waiting, (now, seconds(order.placed_at), who))
            else:
                self._open.discard(who)
                self._step(order, now, StepAction.CANCEL, DISPATCH, reason=NO_COURIER)

    def _hand_out(self, now: int) -> None:
        while self._waiting:
            order = self._orders[self._waiting[0][2]]
            if order.id in self._open:
                restaurant = self._restaurants[order.restaurant]
                courier_id = self._free.nearest(restaurant.x, restaurant.y)
                if courier_id is None:
                    return
                self._bring(order, restaurant, self._couriers[courier_id], now)
            heapq.heappop(self._waiting)

    def _bring(self, order: DayOrder, restaurant: Restaurant, courier: Courier, now: int) -> None:
        counter, door = (restaurant.x, restaurant.y), (order.x, order.y)
        speed = self._parameters.metres_per_minute
        leaves = now + travel_seconds(self._free.where(courier.id), counter, speed) + self._pickup
        hands_over = leaves + travel_seconds(counter, door, speed) + self._dropoff
        actor = Actor(Role.SHIPPER, courier.id)
        self._step(order, now, StepAction.ASSIGN, actor, shipper_id=courier.id)
        self._step(order, leaves, StepAction.SEND_OUT, actor, shipper_id=courier.id)
        self._step(order, hands_over, StepAction.DELIVER, actor, shipper_id=courier.id)
        self._open.discard(order.id)
        self._free.drop(courier.id)
        heapq.heappush(self._ahead, (hands_over, _Kind.FREE, courier.id, *door))

    def _step(
        self,
        order: DayOrder,
        at: int,
        action: StepAction,
        actor: Actor,
        *,
        shipper_id: str | None = None,
        reason: str | None = None,
    ) -> None:
        self._numbers[order.id] += 1
        number = self._numbers[order.id]
        step = Step(
            at=at, order_id=order.id, number=number, action=action, actor=actor, shipper_id=shipper_id, reason=reason
        )
        self._steps.append(step)


def _cell(day: Day) -> float:
    """The width in metres of a square with about nine couriers in it, when they are spread over the day's map."""
    if not day.couriers:
        return 1.0
    places: list[Courier | Restaurant | DayOrder] = [*day.couriers, *day.restaurants, *day.orders]
    xs, ys = [place.x for place in places], [place.y for place in places]
    return 3 * max(max(xs) - min(xs), max(ys) - min(ys)) / math.sqrt(len(day.couriers))
