"""One day in the terms of the Meal Delivery Routing Problem: places in metres, times in minutes since midnight.

The rows are also the schema of a day's files: fields have the order of the columns, ``name`` is a column's name
where it differs, and a type's description is what a refused cell is answered with.
"""

import math
from typing import Annotated

from attrs import frozen
from msgspec import Meta, Struct, field

Id = Annotated[str, Meta(pattern=r"^[!-~]{1,64}\Z", description="1 to 64 printable ASCII characters without spaces")]
Metres = Annotated[float, Meta(ge=0, le=10_000_000, description="a number of metres, 0 to 10,000,000")]
# A shift may run past midnight, so a day's times may reach into the next one.
MinuteOfDay = Annotated[float, Meta(ge=0, le=2880, description="a number of minutes since midnight, 0 to 2,880")]
Speed = Annotated[float, Meta(ge=1, le=100_000, description="a number of metres per minute, 1 to 100,000")]
ServiceTime = Annotated[float, Meta(ge=0, le=1440, description="a number of minutes, 0 to 1,440")]
ClickToDoor = Annotated[float, Meta(ge=1, le=1440, description="a number of minutes, 1 to 1,440")]
Pay = Annotated[float, Meta(ge=0, le=1_000_000, description="an amount of money, 0 to 1,000,000")]


class DayOrder(Struct, frozen=True, kw_only=True):
    """An order of the day: where it is delivered, when it is placed, and when the restaurant has it ready."""

    id: Id = field(name="order")
    x: Metres
    y: Metres
    placed_at: MinuteOfDay = field(name="placement_time")
    restaurant: Id
    ready_at: MinuteOfDay = field(name="ready_time")


class Courier(Struct, frozen=True, kw_only=True):
    """A courier: the starting point, and the shift in which they accept orders."""

    id: Id = field(name="courier")
    x: Metres
    y: Metres
    on: MinuteOfDay = field(name="on_time")
    off: MinuteOfDay = field(name="off_time")


class Restaurant(Struct, frozen=True, kw_only=True):
    """A restaurant and its place."""

    id: Id = field(name="restaurant")
    x: Metres
    y: Metres


class Parameters(Struct, frozen=True, kw_only=True):
    """The constants of the day. The courier's pay is kept for the file's sake; nothing is computed from it."""

    metres_per_minute: Speed = field(name="meters_per_minute")
    pickup_minutes: ServiceTime = field(name="pickup service minutes")
    dropoff_minutes: ServiceTime = field(name="dropoff service minutes")
    target_click_to_door: ClickToDoor = field(name="target click-to-door")
    maximum_click_to_door: ClickToDoor = field(name="maximum click-to-door")
    pay_per_order: Pay = field(name="pay per order")
    guaranteed_pay_per_hour: Pay = field(name="guaranteed pay per hour")


@frozen(kw_only=True)
class Day:
    """A day to simulate.

    Ids are unique within their kind, every order's restaurant exists, no order is ready before it is placed, and no
    shift ends before it begins. ``read_day`` and ``generate_day`` ensure this; code that builds a day must, too.
    """

    name: str
    orders: tuple[DayOrder, ...]
    couriers: tuple[Courier, ...]
    restaurants: tuple[Restaurant, ...]
    parameters: Parameters

    def order_id(self, order: DayOrder, prefix: str | None = None) -> str:
        """Return the id of ``order`` in the service: ``prefix``, by default the day's name and a dash, and its id."""
        return f"{f'{self.name}-' if prefix is None else prefix}{order.id}"


def seconds(minutes: float) -> int:
    """``minutes`` in whole seconds, rounded half up."""
    return math.floor(minutes * 60 + 0.5)


def format_number(number: float) -> str:
    """Format ``number`` as text that reads back equal, without a fraction if it is a whole number."""
    return str(int(number)) if float(number).is_integer() else repr(float(number))
