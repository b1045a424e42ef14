"""A folder of the Meal Delivery Routing Problem becomes a day, or is refused with file, line and column.

The format is that of the instances published by Reyes, Erera, Savelsbergh, Sahasrabudhe and O'Neil (2018).
"""

import re
from collections.abc import Container
from pathlib import Path

from ...domain.errors import InvalidInput
from .day import Courier, Day, DayOrder, Parameters, Restaurant
from .files import COURIERS, ORDERS, PARAMETERS, RESTAURANTS
from .rows import Bounds, Row, read_rows

METRES = Bounds(0, 10_000_000, "metres")
"""Both ways from a corner of the map; no two places on Earth are much farther apart."""
MINUTES = Bounds(0, 2 * 24 * 60, "minutes since midnight")
"""A shift may run past midnight, so a day's times may reach into the next one."""
SPEED = Bounds(1, 100_000, "metres per minute")
SERVICE = Bounds(0, 24 * 60, "minutes")
CLICK_TO_DOOR = Bounds(1, 24 * 60, "minutes")
PAY = Bounds(0, 1_000_000, "units of money")
MAX_NAME = 32


def read_day(folder: Path) -> Day:
    """The day in ``folder``, named after it.

    Raises InvalidInput, whose field is ``FILE:LINE: COLUMN``, on the first thing that is wrong.
    """
    restaurants = _restaurants(folder)
    return Day(
        name=_name(folder),
        parameters=_parameters(folder),
        restaurants=restaurants,
        couriers=_couriers(folder),
        orders=_orders(folder, {restaurant.id for restaurant in restaurants}),
    )


def _name(folder: Path) -> str:
    """The folder's name so that it can begin an identifier: anything else in it becomes a dash."""
    return re.sub(r"[^!-~]+", "-", folder.resolve().name)[:MAX_NAME] or "day"


def _parameters(folder: Path) -> Parameters:
    found: Parameters | None = None
    for row in read_rows(folder, PARAMETERS):
        if found is not None:
            raise row.refuse(PARAMETERS.columns[0], "a second row", "one row of parameters")
        speed, pickup, dropoff, target, maximum, pay, guaranteed = PARAMETERS.columns
        found = Parameters(
            metres_per_minute=row.number(speed, SPEED),
            pickup_minutes=row.number(pickup, SERVICE),
            dropoff_minutes=row.number(dropoff, SERVICE),
            target_click_to_door=row.number(target, CLICK_TO_DOOR),
            maximum_click_to_door=row.number(maximum, CLICK_TO_DOOR),
            pay_per_order=row.amount(pay, PAY),
            guaranteed_pay_per_hour=row.amount(guaranteed, PAY),
        )
    if found is None:
        where = f"{PARAMETERS.name}:2: {PARAMETERS.columns[0]}"
        raise InvalidInput(where, "there is no row below the header", "one row of parameters")
    return found


def _restaurants(folder: Path) -> tuple[Restaurant, ...]:
    ids = _Ids("restaurant")
    return tuple(
        Restaurant(id=ids.new(row), x=row.number("x", METRES), y=row.number("y", METRES))
        for row in read_rows(folder, RESTAURANTS)
    )


def _couriers(folder: Path) -> tuple[Courier, ...]:
    ids = _Ids("courier")
    return tuple(_courier(row, ids) for row in read_rows(folder, COURIERS))


def _courier(row: Row, ids: "_Ids") -> Courier:
    courier = Courier(
        id=ids.new(row),
        x=row.number("x", METRES),
        y=row.number("y", METRES),
        on=row.number("on_time", MINUTES),
        off=row.number("off_time", MINUTES),
    )
    if courier.off < courier.on:
        on, off = row.cells["on_time"], row.cells["off_time"]
        raise row.refuse("off_time", f"{off} is before on_time {on}", f"{on} or later")
    return courier


def _orders(folder: Path, restaurants: Container[str]) -> tuple[DayOrder, ...]:
    ids = _Ids("order")
    return tuple(_order(row, ids, restaurants) for row in read_rows(folder, ORDERS))


def _order(row: Row, ids: "_Ids", restaurants: Container[str]) -> DayOrder:
    order = DayOrder(
        id=ids.new(row),
        x=row.number("x", METRES),
        y=row.number("y", METRES),
        placed_at=row.number("placement_time", MINUTES),
        restaurant=row.identifier("restaurant"),
        ready_at=row.number("ready_time", MINUTES),
    )
    if order.restaurant not in restaurants:
        problem = f"there is no restaurant {order.restaurant!r}"
        raise row.refuse("restaurant", problem, f"a restaurant of {RESTAURANTS.name}")
    if order.ready_at < order.placed_at:
        placed, ready = row.cells["placement_time"], row.cells["ready_time"]
        raise row.refuse("ready_time", f"{ready} is before placement_time {placed}", f"{placed} or later")
    return order


class _Ids:
    """The ids met so far in one file, and the line of each."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._lines: dict[str, int] = {}

    def new(self, row: Row) -> str:
        """The row's id. Raises InvalidInput where it stands on another line already."""
        new = row.identifier(self._column)
        if (line := self._lines.setdefault(new, row.line)) != row.line:
            raise row.refuse(self._column, f"{new!r} stands on line {line} already", "an id of its own for each row")
        return new
