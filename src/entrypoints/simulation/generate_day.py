"""Generates a day: peaks at lunch and dinner, restaurants in clusters, just enough couriers.

Its proportions follow the published instances: an order takes a courier about 20 minutes, the median distance from
restaurant to customer is about 2 km, a meal is ready after about 15 minutes, and shifts last 90 minutes to 4 hours.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from attrs import frozen

from ...domain.errors import InvalidInput
from .day import Courier, Day, DayOrder, Parameters, Restaurant

MAX_ORDERS = 1_000_000
PARAMETERS = Parameters(
    metres_per_minute=320,
    pickup_minutes=4,
    dropoff_minutes=4,
    target_click_to_door=40,
    maximum_click_to_door=90,
    pay_per_order=10,
    guaranteed_pay_per_hour=15,
)
OPENS, CLOSES = 10 * 60, 22 * 60 + 30
"""Orders are placed between these minutes. The last shift ends earlier, so the last orders get no courier."""
LAST_SHIFT_ENDS = CLOSES - 30

_ORDERS_PER_RESTAURANT = 7
_TOWN_METRES = 12_000
"""The width and height of the town, whatever the number of orders."""
_CUSTOMER_METRES = 1_700
"""The standard deviation of the customers' places around a restaurant, along each axis."""
_CLUSTER_METRES = 900
_SLOT = 15
"""Shifts begin at multiples of this many minutes."""
_BUSY_MINUTES = 22
"""The approximate time that one order takes a courier."""
_SHIFTS = (90, 120, 150, 180, 240)
_SQRT_3 = math.sqrt(3)


@frozen
class _Peak:
    """A share of the day's orders, distributed around a minute with a standard deviation of ``spread``."""

    share: float
    minute: float
    spread: float


_LUNCH = _Peak(0.34, 12 * 60 + 20, 45)
_DINNER = _Peak(0.50, 19 * 60, 60)


def generate_day(orders: int, seed: int) -> Day:
    """Generate a day with that many orders. The same two numbers generate the same day on every machine.

    If there are a few hundred orders or more, nearly all get a courier in time, and the last of the evening do not.

    Raises:
        InvalidInput: if ``orders`` is not between 1 and ``MAX_ORDERS``, or ``seed`` is negative.
    """
    if not 1 <= orders <= MAX_ORDERS:
        raise InvalidInput("orders", f"{orders}", f"1 to {MAX_ORDERS:,}")
    if seed < 0:
        raise InvalidInput("seed", f"{seed}", "0 or more")
    draw = _Draw(seed)
    restaurants = _restaurants(max(1, orders // _ORDERS_PER_RESTAURANT), draw)
    placed = _orders(orders, restaurants, draw)
    return Day(
        name=f"synthetic-{orders}-{seed}",
        orders=placed,
        couriers=_couriers(placed, restaurants, draw),
        restaurants=restaurants,
        parameters=PARAMETERS,
    )


class _Draw:
    """Random numbers from ``Random.random`` alone, the only method whose sequence every Python version keeps."""

    def __init__(self, seed: int) -> None:
        self.uniform = random.Random(seed).random

    def below(self, count: int) -> int:
        return int(self.uniform() * count)

    def normal(self) -> float:
        """Approximately normal, with a mean of 0 and a standard deviation of 1, and never beyond 3.5."""
        return (self.uniform() + self.uniform() + self.uniform() + self.uniform() - 2) * _SQRT_3

    def near(self, x: float, y: float, spread: float) -> tuple[int, int]:
        """Draw a place near another, in whole metres, within the town."""
        return _clamp(x + self.normal() * spread, 0, _TOWN_METRES), _clamp(y + self.normal() * spread, 0, _TOWN_METRES)


def _restaurants(count: int, draw: _Draw) -> tuple[Restaurant, ...]:
    """Restaurants in clusters of about 12, whose centres are away from the edge of the town."""
    centres = [
        (_TOWN_METRES * (0.15 + 0.7 * draw.uniform()), _TOWN_METRES * (0.15 + 0.7 * draw.uniform()))
        for _ in range(max(1, count // 12))
    ]
    places = [draw.near(*centres[draw.below(len(centres))], _CLUSTER_METRES) for _ in range(count)]
    return tuple(Restaurant(id=f"r{number}", x=x, y=y) for number, (x, y) in enumerate(places, start=1))


def _orders(count: int, restaurants: Sequence[Restaurant], draw: _Draw) -> tuple[DayOrder, ...]:
    """Orders by placement time; some restaurants are much more popular than others."""
    popularity = list(accumulate(1 / (8 + rank) for rank in range(len(restaurants))))
    orders = []
    for number, placed_at in enumerate(sorted(_placement_minute(draw) for _ in range(count)), start=1):
        restaurant = restaurants[bisect_right(popularity, draw.uniform() * popularity[-1], hi=len(popularity) - 1)]
        x, y = draw.near(restaurant.x, restaurant.y, _CUSTOMER_METRES)
        # The product of two draws: many meals are quick, a few take 45 minutes.
        ready_at = placed_at + 6 + int(40 * draw.uniform() * draw.uniform())
        order = DayOrder(id=f"o{number}", x=x, y=y, placed_at=placed_at, restaurant=restaurant.id, ready_at=ready_at)
        orders.append(order)
    return tuple(orders)


def _placement_minute(draw: _Draw) -> int:
    share = draw.uniform()
    for peak in (_LUNCH, _DINNER):
        if share < peak.share:
            return _clamp(peak.minute + draw.normal() * peak.spread, OPENS, CLOSES)
        share -= peak.share
    return OPENS + draw.below(CLOSES - OPENS)


def _couriers(orders: Sequence[DayOrder], restaurants: Sequence[Restaurant], draw: _Draw) -> tuple[Courier, ...]:
    """In each slot, as many couriers begin near a restaurant as are missing for the orders that become ready."""
    ready = [0] * ((LAST_SHIFT_ENDS - OPENS) // _SLOT)
    for order in orders:
        slot = (int(order.ready_at) - OPENS) // _SLOT
        ready[min(slot, len(ready) - 1)] += 1
    couriers: list[Courier] = []
    ends = [0] * (len(ready) + 1)
    on_shift = 0
    for slot, meals in enumerate(ready):
        on_shift -= ends[slot]
        needed = meals * _BUSY_MINUTES / _SLOT
        while on_shift < needed:
            restaurant = restaurants[draw.below(len(restaurants))]
            x, y = draw.near(restaurant.x, restaurant.y, _CUSTOMER_METRES)
            on = OPENS + slot * _SLOT
            off = min(on + _SHIFTS[draw.below(len(_SHIFTS))], LAST_SHIFT_ENDS)
            couriers.append(Courier(id=f"c{len(couriers) + 1}", x=x, y=y, on=on, off=off))
            ends[(off - OPENS) // _SLOT] += 1
            on_shift += 1
    return tuple(couriers)


def _clamp(value: float, least: float, most: float) -> int:
    return round(min(max(value, least), most))
