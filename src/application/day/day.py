"""One day in the terms of the Meal Delivery Routing Problem: places in metres, times in minutes since midnight."""

import math
from decimal import Decimal

from attrs import frozen


@frozen(kw_only=True)
class DayOrder:
    """One meal to bring: where to, when it is asked for, and when the restaurant has it ready.

    ``x`` and ``y`` are metres, ``placed_at`` and ``ready_at`` minutes since midnight, ``restaurant`` an id.
    """

    id: str
    x: float
    y: float
    placed_at: float
    restaurant: str
    ready_at: float


@frozen(kw_only=True)
class Courier:
    """Where a courier begins (metres), and the minutes since midnight from which and until which they take orders."""

    id: str
    x: float
    y: float
    on: float
    off: float


@frozen(kw_only=True)
class Restaurant:
    """``x`` and ``y`` are metres."""

    id: str
    x: float
    y: float


@frozen(kw_only=True)
class Parameters:
    """What holds for the whole day: minutes, metres per minute, and amounts of money in the courier's contract."""

    metres_per_minute: float
    pickup_minutes: float
    dropoff_minutes: float
    target_click_to_door: float
    maximum_click_to_door: float
    pay_per_order: Decimal
    guaranteed_pay_per_hour: Decimal


@frozen(kw_only=True)
class Day:
    """Ids are unique within their kind, every order's restaurant is there, and no order is ready before it is placed.

    ``read_day`` and ``synthesise`` see to that; who builds a day by hand must, too.
    """

    name: str
    orders: tuple[DayOrder, ...]
    couriers: tuple[Courier, ...]
    restaurants: tuple[Restaurant, ...]
    parameters: Parameters


def seconds(minutes: float) -> int:
    """``minutes`` in whole seconds, half a second counting as one."""
    return math.floor(minutes * 60 + 0.5)


def plain(number: float) -> str:
    """``number`` as the files write it: without a fraction where there is none, else so that it reads back equal."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))
