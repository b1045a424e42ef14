"""A plan, step by step, on days small enough to follow by hand."""

import pytest
from orderflow.application.day.plan import DISPATCH, Step, StepAction, plan_day, travel_seconds
from orderflow.domain.actor import Role

from .days import courier, day, order

M = 60


def times(steps: tuple[Step, ...], order_id: str = "o1") -> list[tuple[str, int]]:
    return [(step.action.value, step.at) for step in steps if step.order_id == order_id]


def test_one_order_goes_from_click_to_door():
    # the courier stands 200 m from the counter, the door 500 m: two and five minutes
    lived = day(order(placed=600, ready=610, at=(500, 0)), courier(at=(0, 200)))

    steps = plan_day(lived)

    assert times(steps) == [
        ("place", 600 * M),
        ("prepare", 601 * M),
        ("assign", 610 * M),
        ("send_out", (610 + 2 + 4) * M),
        ("deliver", (616 + 5 + 3) * M),
    ]


def test_each_step_is_done_by_who_may():
    lived = day(order(), courier())

    steps = plan_day(lived)

    assert [step.actor.role for step in steps] == [
        Role.CUSTOMER,
        Role.RESTAURANT,
        Role.SHIPPER,
        Role.SHIPPER,
        Role.SHIPPER,
    ]
    assert [step.actor.id for step in steps[1:]] == ["r1", "c1", "c1", "c1"]


def test_steps_of_an_order_are_numbered_from_one_and_name_the_courier():
    lived = day(order(), courier())

    steps = plan_day(lived)

    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    assert [step.shipper_id for step in steps] == [None, None, "c1", "c1", "c1"]


def test_an_order_by_card_is_paid_as_it_is_placed():
    lived = day(order("o1"), order("o2"), courier())

    steps = plan_day(lived, cards={"o2"})

    assert times(steps, "o2")[:3] == [("place", 600 * M), ("pay", 600 * M), ("prepare", 601 * M)]
    assert "pay" not in dict(times(steps, "o1"))


def test_a_meal_that_is_ready_at_once_is_prepared_at_once():
    lived = day(order(placed=600, ready=600), courier())

    steps = plan_day(lived)

    assert times(steps)[:3] == [("place", 600 * M), ("prepare", 600 * M), ("assign", 600 * M)]


def test_the_nearer_courier_takes_it():
    lived = day(order(), courier("c1", at=(0, 300)), courier("c2", at=(200, 0)))

    steps = plan_day(lived)

    assert steps[2].shipper_id == "c2"


def test_of_two_equally_near_couriers_the_least_id_takes_it():
    lived = day(order(), courier("c2", at=(0, 300)), courier("c1", at=(300, 0)))

    steps = plan_day(lived)

    assert steps[2].shipper_id == "c1"


def test_a_courier_goes_on_from_the_last_door():
    # 610 taken, 614 left, 614 + 5 + 3 = 622 done at the door, from which the counter is five minutes away
    lived = day(order("o1", ready=610), order("o2", placed=600, ready=620), courier())

    steps = plan_day(lived)

    assert times(steps, "o2")[2:] == [("assign", 622 * M), ("send_out", 631 * M), ("deliver", 639 * M)]


def test_waiting_orders_are_taken_first_ready_first():
    lived = day(order("a", ready=613), order("b", ready=612), order("z", ready=610), courier())

    steps = plan_day(lived)

    assert [step.order_id for step in steps if step.action is StepAction.ASSIGN] == ["z", "b", "a"]


def test_orders_ready_together_are_taken_first_placed_first_then_by_id():
    lived = day(
        order("c", placed=600), order("b", placed=601), order("a", placed=601), courier(at=(0, 0)), pickup_minutes=1
    )

    steps = plan_day(lived)

    assert [step.order_id for step in steps if step.action is StepAction.ASSIGN] == ["c", "a", "b"]


def test_an_order_that_nobody_takes_is_cancelled_when_the_time_is_over():
    lived = day(order(placed=600, ready=610), maximum_click_to_door=60)

    steps = plan_day(lived)

    assert times(steps)[2:] == [("cancel", 660 * M)]
    assert (steps[-1].reason, steps[-1].actor) == ("no_courier", DISPATCH)


def test_a_courier_who_comes_a_second_before_the_time_is_over_takes_it():
    lived = day(order(placed=600), courier(on=660 - 1 / 60))

    steps = plan_day(lived)

    assert times(steps)[2] == ("assign", 660 * M - 1)


def test_a_courier_who_comes_as_the_time_is_over_comes_too_late():
    lived = day(order(placed=600), courier(on=660))

    steps = plan_day(lived)

    assert times(steps)[2:] == [("cancel", 660 * M)]


def test_a_meal_that_is_not_ready_in_time_is_cancelled_and_never_taken():
    lived = day(order(placed=600, ready=661), courier())

    steps = plan_day(lived)

    assert times(steps)[2:] == [("cancel", 660 * M)]


def test_a_shift_that_has_ended_takes_no_more():
    lived = day(order(ready=610), courier(off=610))

    steps = plan_day(lived)

    assert times(steps)[2:] == [("cancel", 660 * M)]


def test_an_order_taken_in_the_last_second_of_a_shift_is_finished():
    lived = day(order("o1", ready=610), order("o2", ready=615), courier(off=610 + 1 / 60))

    steps = plan_day(lived)

    assert times(steps, "o1")[-1] == ("deliver", 622 * M)
    assert times(steps, "o2")[-1] == ("cancel", 660 * M)


def test_a_shift_of_no_length_takes_nothing():
    lived = day(order(ready=610), courier(on=610, off=610))

    steps = plan_day(lived)

    assert times(steps)[2:] == [("cancel", 660 * M)]


def test_an_order_cancelled_within_the_first_minute_is_prepared_before():
    lived = day(order(placed=600, ready=610), maximum_click_to_door=0.5)

    steps = plan_day(lived)

    assert times(steps)[1:] == [("prepare", 600 * M + 30), ("cancel", 600 * M + 30)]


def test_a_cancelled_order_does_not_keep_the_next_one_waiting():
    lived = day(order("o1", placed=540, ready=545), order("o2", placed=590, ready=595), courier(on=605))

    steps = plan_day(lived)

    assert times(steps, "o1")[-1] == ("cancel", 600 * M)
    assert times(steps, "o2")[2] == ("assign", 605 * M)


def test_steps_stand_by_time_then_order_then_number():
    lived = day(order("o2", placed=600, ready=600), order("o1", placed=600, ready=600), courier())

    steps = plan_day(lived)

    assert [(step.order_id, step.action.value) for step in steps[:5]] == [
        ("o1", "place"),
        ("o1", "prepare"),
        ("o1", "assign"),
        ("o2", "place"),
        ("o2", "prepare"),
    ]


def test_a_day_without_orders_has_no_steps():
    lived = day(courier())

    steps = plan_day(lived)

    assert steps == ()


@pytest.mark.parametrize(
    ("metres", "speed", "taken"),
    [(0, 320, 0), (320, 320, 60), (96, 320, 18), (96.1, 320, 19), (1, 320, 1), (314, 314, 60), (157, 314, 30)],
)
def test_a_part_of_a_second_on_the_way_counts_as_a_whole_one(metres, speed, taken):
    start, end = (1000, 1000), (1000 + metres, 1000)

    took = travel_seconds(start, end, speed)

    assert took == taken
