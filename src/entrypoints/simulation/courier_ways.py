"""The places of a day's couriers over time, for a map of the day."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from .day import Day, seconds
from .dispatch_plan import Step, StepAction, plan_day
from .geography import travel_seconds


@frozen(kw_only=True)
class Place:
    """A restaurant or an order's door, in metres east and north."""

    id: str
    x: float
    y: float


@frozen(kw_only=True)
class Leg:
    """A straight way of a courier: from one place at the second ``begins`` to another at the second ``ends``."""

    begins: int
    ends: int
    x1: float
    y1: float
    x2: float
    y2: float


@frozen(kw_only=True)
class CourierWay:
    """A courier's place at the beginning of the shift, the shift in seconds, and every way, in the order of times."""

    id: str
    x: float
    y: float
    on: int
    off: int
    legs: tuple[Leg, ...]


@frozen(kw_only=True)
class Geography:
    """All places of a day, and the planned ways of its couriers. Orders have the ids that the service knows."""

    restaurants: tuple[Place, ...]
    orders: tuple[Place, ...]
    couriers: tuple[CourierWay, ...]


def geography_of(day: Day) -> Geography:
    """Return the geography of ``day`` as it is planned."""
    steps: dict[tuple[str, StepAction], Step] = {(step.order_id, step.action): step for step in plan_day(day)}
    legs = _legs(day, steps)
    return Geography(
        restaurants=tuple(Place(id=it.id, x=it.x, y=it.y) for it in day.restaurants),
        orders=tuple(Place(id=day.order_id(it), x=it.x, y=it.y) for it in day.orders),
        couriers=tuple(
            CourierWay(id=it.id, x=it.x, y=it.y, on=seconds(it.on), off=seconds(it.off), legs=tuple(legs[it.id]))
            for it in day.couriers
        ),
    )


def _legs(day: Day, steps: Mapping[tuple[str, StepAction], Step]) -> Mapping[str, Sequence[Leg]]:
    """Return the ways of each courier: to the restaurant as soon as an order is assigned, and then to the door."""
    places = {it.id: (it.x, it.y) for it in day.couriers}
    restaurants = {it.id: (it.x, it.y) for it in day.restaurants}
    orders = {it.id: it for it in day.orders}
    dropoff, speed = seconds(day.parameters.dropoff_minutes), day.parameters.metres_per_minute
    legs: dict[str, list[Leg]] = {it.id: [] for it in day.couriers}
    assigned = (step for step in steps.values() if step.action is StepAction.ASSIGN)
    for step in sorted(assigned, key=lambda it: it.at):
        courier, order = step.shipper_id or "", orders[step.order_id]
        start, pickup, door = places[courier], restaurants[order.restaurant], (order.x, order.y)
        arrives = step.at + travel_seconds(start, pickup, speed)
        leaves = steps[order.id, StepAction.SEND_OUT].at
        delivered = steps[order.id, StepAction.DELIVER].at
        legs[courier] += [_leg(step.at, arrives, start, pickup), _leg(leaves, delivered - dropoff, pickup, door)]
        places[courier] = door
    return legs


def _leg(begins: int, ends: int, start: tuple[float, float], end: tuple[float, float]) -> Leg:
    return Leg(begins=begins, ends=ends, x1=start[0], y1=start[1], x2=end[0], y2=end[1])
