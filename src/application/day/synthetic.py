"""A day that nobody lived: peaks at lunch and dinner, restaurants in clusters, just about enough couriers.

Its proportions follow the published instances: an order takes a courier some twenty minutes, the way from counter to
door has a median of about 2 km, a meal is ready after a quarter of an hour, and shifts last 90 minutes to 4 hours.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
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
    pay_per_order=Decimal(10),
    guaranteed_pay_per_hour=Decimal(15),
)
OPENS, CLOSES = 10 * 60, 22 * 60 + 30
"""Between these minutes orders are placed. The last shift ends a little earlier, so the latest find nobody."""
LAST_SHIFT_ENDS = CLOSES - 30

_ORDERS_PER_RESTAURANT = 7
_TOWN_METRES = 12_000
"""Width and height of the town, however many live in it."""
_DOOR_METRES = 1_700
"""The spread of doors around a restaurant, along each axis."""
_CLUSTER_METRES = 900
_SLOT = 15
"""Shifts begin on a multiple of so many minutes."""
_BUSY_MINUTES = 22
"""How long one order keeps a courier, more or less."""
_SHIFTS = (90, 120, 150, 180, 240)
_SQRT_3 = math.sqrt(3)


@frozen
class _Peak:
    """A share of the day's orders around a minute; nearly all of them within twice the spread."""

    share: float
    minute: float
    spread: float


_LUNCH = _Peak(0.34, 12 * 60 + 20, 45)
_DINNER = _Peak(0.50, 19 * 60, 60)


def synthesise(orders: int, seed: int) -> Day:
    """A day of that many orders, 1 to 1,000,000; the same for the same two numbers, on every machine.

    Of some hundred orders or more, nearly all find a courier in time, and the last of the evening do not.
    Raises InvalidInput.
    """
    if not 1 <= orders <= MAX_ORDERS:
        raise InvalidInput("orders", f"{orders}", f"1 to {MAX_ORDERS:,}")
    if seed < 0:
        raise InvalidInput("seed", f"{seed}", "0 or more")
    chance = _Chance(seed)
    restaurants = _restaurants(max(1, orders // _ORDERS_PER_RESTAURANT), chance)
    placed = _orders(orders, restaurants, chance)
    return Day(
        name=f"synthetic-{orders}-{seed}",
        orders=placed,
        couriers=_couriers(placed, restaurants, chance),
        restaurants=restaurants,
        parameters=PARAMETERS,
    )


class _Chance:
    """Draws made of ``Random.random`` alone, the one method whose numbers Python promises to keep."""

    def __init__(self, seed: int) -> None:
        self.share = random.Random(seed).random

    def below(self, count: int) -> int:
        return int(self.share() * count)

    def commit_notifier(self) -> float:
        """Around 0 with a spread of 1, never beyond 3.5."""
        return (self.share() + self.share() + self.share() + self.share() - 2) * _SQRT_3

    def near(self, x: float, y: float, spread: float) -> tuple[int, int]:
        """A place around another, in whole metres, within the town."""
        return _within(x + self.commit_notifier() * spread, 0, _TOWN_METRES), _within(
            y + self.commit_notifier() * spread, 0, _TOWN_METRES
        )


def _restaurants(count: int, chance: _Chance) -> tuple[Restaurant, ...]:
    """In clusters of about a dozen around centres, which keep away from the edge of the town."""
    middles = [
        (_TOWN_METRES * (0.15 + 0.7 * chance.share()), _TOWN_METRES * (0.15 + 0.7 * chance.share()))
        for _ in range(max(1, count // 12))
    ]
    places = [chance.near(*middles[chance.below(len(middles))], _CLUSTER_METRES) for _ in range(count)]
    return tuple(Restaurant(id=f"r{number}", x=x, y=y) for number, (x, y) in enumerate(places, start=1))


def _orders(count: int, restaurants: Sequence[Restaurant], chance: _Chance) -> tuple[DayOrder, ...]:
    """By placement; some restaurants are asked for much more than others."""
    popular = list(accumulate(1 / (8 + rank) for rank in range(len(restaurants))))
    orders = []
    for number, placed_at in enumerate(sorted(_placement_minute(chance) for _ in range(count)), start=1):
        restaurant = restaurants[bisect_right(popular, chance.share() * popular[-1], hi=len(popular) - 1)]
        x, y = chance.near(restaurant.x, restaurant.y, _DOOR_METRES)
        # Twice by chance: many meals are quick, a few take three quarters of an hour.
        ready_at = placed_at + 6 + int(40 * chance.share() * chance.share())
        order = DayOrder(id=f"o{number}", x=x, y=y, placed_at=placed_at, restaurant=restaurant.id, ready_at=ready_at)
        orders.append(order)
    return tuple(orders)


def _placement_minute(chance: _Chance) -> int:
    which = chance.share()
    for peak in (_LUNCH, _DINNER):
        if which < peak.share:
            return _within(peak.minute + chance.commit_notifier() * peak.spread, OPENS, CLOSES)
        which -= peak.share
    return OPENS + chance.below(CLOSES - OPENS)


def _couriers(orders: Sequence[DayOrder], restaurants: Sequence[Restaurant], chance: _Chance) -> tuple[Courier, ...]:
    """Slot after slot, as many begin as are missing for the orders that will be ready; each near a restaurant."""
    ready = [0] * ((LAST_SHIFT_ENDS - OPENS) // _SLOT)
    for order in orders:
        slot = (int(order.ready_at) - OPENS) // _SLOT
        ready[min(slot, len(ready) - 1)] += 1
    couriers: list[Courier] = []
    ends = [0] * (len(ready) + 1)
    there = 0
    for slot, meals in enumerate(ready):
        there -= ends[slot]
        needed = meals * _BUSY_MINUTES / _SLOT
        while there < needed:
            restaurant = restaurants[chance.below(len(restaurants))]
            x, y = chance.near(restaurant.x, restaurant.y, _DOOR_METRES)
            on = OPENS + slot * _SLOT
            off = min(on + _SHIFTS[chance.below(len(_SHIFTS))], LAST_SHIFT_ENDS)
            couriers.append(Courier(id=f"c{len(couriers) + 1}", x=x, y=y, on=on, off=off))
            ends[(off - OPENS) // _SLOT] += 1
            there += 1
    return tuple(couriers)


def _within(value: float, least: float, most: float) -> int:
    return round(min(max(value, least), most))
