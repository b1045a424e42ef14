"""The map of a day: where each courier is planned to be."""

from itertools import pairwise

from orderflow.entrypoints.simulation.courier_ways import geography_of
from orderflow.entrypoints.simulation.dispatch_plan import StepAction, plan_day
from orderflow.entrypoints.simulation.generate_day import generate_day

from .days import courier, day, order

DAY = generate_day(200, 5)


def test_a_courier_goes_to_the_restaurant_and_then_to_the_door() -> None:
    small = day(order(ready=610, at=(500, 0)), courier(at=(0, 300)))

    [way] = geography_of(small).couriers

    to_restaurant, to_door = way.legs
    assert (to_restaurant.x1, to_restaurant.y1, to_restaurant.x2, to_restaurant.y2) == (0, 300, 0, 0)
    assert (to_restaurant.begins, to_restaurant.ends) == (610 * 60, 613 * 60)
    assert (to_door.x1, to_door.y1, to_door.x2, to_door.y2) == (0, 0, 500, 0)
    assert (to_door.begins, to_door.ends) == (617 * 60, 622 * 60)


def test_ways_follow_each_other_without_a_jump_and_end_before_each_delivery() -> None:
    places = geography_of(DAY)

    for way in places.couriers:
        ends = [(way.x, way.y), *((leg.x2, leg.y2) for leg in way.legs)]
        assert [(leg.x1, leg.y1) for leg in way.legs] == ends[:-1]
        assert all(before.ends <= after.begins for before, after in pairwise(way.legs))
    delivered = [step for step in plan_day(DAY) if step.action is StepAction.DELIVER]
    assert sum(len(way.legs) for way in places.couriers) == 2 * len(delivered)


def test_orders_have_the_ids_that_the_service_knows() -> None:
    assert [it.id for it in geography_of(day(order("o7"))).orders] == ["small-o7"]
