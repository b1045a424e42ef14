"""Plans of days that are small enough to verify by hand."""

import pytest
from orderflow.domain.actor import Role
from orderflow.entrypoints.simulation.dispatch_plan import DISPATCH, Step, StepAction, plan_day
from orderflow.entrypoints.simulation.geography import travel_seconds

from .days import courier, day, order

M = 60


def times(steps: tuple[Step, ...], order_id: str = "o1") -> list[tuple[str, int]]:
    return [(step.action.value, step.at) for step in steps if step.order_id == order_id]


def test_one_order_goes_from_click_to_door():
    # 200 m from the courier to the restaurant and 500 m to the customer: two and five minutes
    small_day = day(order(placed=600, ready=610, at=(500, 0)), courier(at=(0, 200)))

    steps = plan_day(small_day)

    assert times(steps) == [
        ("place", 600 * M),
        ("prepare", 601 * M),
        ("assign", 610 * M),
        ("send_out", (610 + 2 + 4) * M),
        ("deliver", (616 + 5 + 3) * M),
    ]


def test_each_step_has_a_permitted_actor():
    small_day = day(order(), courier())

    steps = plan_day(small_day)

    assert [step.actor.role for step in steps] == [
        Role.CUSTOMER,
        Role.RESTAURANT,
        Role.SHIPPER,
        Role.SHIPPER,
        Role.SHIPPER,
    ]
    assert [step.actor.id for step in steps[1:]] == ["r1", "c1", "c1", "c1"]


def test_steps_of_an_order_are_numbered_from_one_and_name_the_courier():
    small_day = day(order(), courier())

    steps = plan_day(small_day)

    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    assert [step.shipper_id for step in steps] == [None, None, "c1", "c1", "c1"]


def test_an_order_by_card_is_paid_as_it_is_placed():
    small_day = day(order("o1"), order("o2"), courier())

    steps = plan_day(small_day, cards={"o2"})

    assert times(steps, "o2")[:3] == [("place", 600 * M), ("pay", 600 * M), ("prepare", 601 * M)]
    assert "pay" not in dict(times(steps, "o1"))


def test_an_order_that_is_ready_at_once_is_prepared_at_once():
    small_day = day(order(placed=600, ready=600), courier())

    steps = plan_day(small_day)

    assert times(steps)[:3] == [("place", 600 * M), ("prepare", 600 * M), ("assign", 600 * M)]


def test_of_two_equally_near_couriers_the_least_id_is_assigned():
    small_day = day(order(), courier("c2", at=(0, 300)), courier("c1", on=60, at=(300, 0)))

    steps = plan_day(small_day)

    assert steps[2].shipper_id == "c1"


def test_a_courier_starts_from_the_place_of_the_last_delivery():
    # assigned at 610, sent out at 614, delivered at 614 + 5 + 3 = 622, five minutes from the restaurant
    small_day = day(order("o1", ready=610), order("o2", placed=600, ready=620), courier())

    steps = plan_day(small_day)

    assert times(steps, "o2")[2:] == [("assign", 622 * M), ("send_out", 631 * M), ("deliver", 639 * M)]


def test_orders_ready_together_are_assigned_first_placed_first_then_by_id():
    small_day = day(
        order("c", placed=600), order("b", placed=601), order("a", placed=601), courier(at=(0, 0)), pickup_minutes=1
    )

    steps = plan_day(small_day)

    assert [step.order_id for step in steps if step.action is StepAction.ASSIGN] == ["c", "a", "b"]


def test_an_order_without_a_courier_is_cancelled_at_the_time_limit():
    small_day = day(order(placed=600, ready=610), maximum_click_to_door=60)

    steps = plan_day(small_day)

    assert times(steps)[2:] == [("cancel", 660 * M)]
    assert (steps[-1].reason, steps[-1].actor) == ("no_courier", DISPATCH)


def test_a_courier_who_is_free_a_second_before_the_time_limit_is_assigned():
    small_day = day(order(placed=600), courier(on=660 - 1 / 60))

    steps = plan_day(small_day)

    assert times(steps)[2] == ("assign", 660 * M - 1)


def test_a_courier_who_is_free_at_the_time_limit_is_too_late():
    small_day = day(order(placed=600), courier(on=660))

    steps = plan_day(small_day)

    assert times(steps)[2:] == [("cancel", 660 * M)]


def test_an_order_assigned_in_the_last_second_of_a_shift_is_delivered():
    small_day = day(order("o1", ready=610), order("o2", ready=615), courier(off=610 + 1 / 60))

    steps = plan_day(small_day)

    assert times(steps, "o1")[-1] == ("deliver", 622 * M)
    assert times(steps, "o2")[-1] == ("cancel", 660 * M)


def test_an_order_cancelled_within_the_first_minute_is_prepared_before_it():
    small_day = day(order(placed=600, ready=610), maximum_click_to_door=0.5)

    steps = plan_day(small_day)

    assert times(steps)[1:] == [("prepare", 600 * M + 30), ("cancel", 600 * M + 30)]


def test_a_cancelled_order_does_not_delay_the_next_one():
    small_day = day(order("o1", placed=540, ready=545), order("o2", placed=590, ready=595), courier(on=605))

    steps = plan_day(small_day)

    assert times(steps, "o1")[-1] == ("cancel", 600 * M)
    assert times(steps, "o2")[2] == ("assign", 605 * M)


def test_a_day_without_orders_has_no_steps():
    small_day = day(courier())

    steps = plan_day(small_day)

    assert steps == ()


@pytest.mark.parametrize(
    ("metres", "speed", "taken"),
    [(0, 320, 0), (320, 320, 60), (96, 320, 18), (96.1, 320, 19), (1, 320, 1), (314, 314, 60), (157, 314, 30)],
)
def test_travel_times_are_rounded_up_to_whole_seconds(metres, speed, taken):
    start, end = (1000, 1000), (1000 + metres, 1000)

    took = travel_seconds(start, end, speed)

    assert took == taken
