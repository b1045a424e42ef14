"""Every plan keeps the rules of dispatch, and the checker of these rules finds each violation."""

from attrs import evolve
from hypothesis import given, settings
from orderflow.entrypoints.simulation.day import Day
from orderflow.entrypoints.simulation.dispatch_plan import StepAction, plan_day
from orderflow.entrypoints.simulation.generate_day import generate_day

from .days import courier, crowded_days, day, order
from .dispatch_rules import broken_rules


@settings(max_examples=300)
@given(crowded_days())
def test_every_plan_keeps_the_rules(small_day: Day):
    steps = plan_day(small_day)

    broken = broken_rules(small_day, steps)

    assert broken == []


@settings(max_examples=50)
@given(crowded_days())
def test_the_order_of_the_rows_changes_nothing(crowded: Day):
    reverse = evolve(crowded, orders=crowded.orders[::-1], couriers=crowded.couriers[::-1])

    steps = plan_day(reverse)

    assert steps == plan_day(crowded)


def test_a_generated_day_with_many_couriers_keeps_the_rules():
    small_day = generate_day(400, 3)

    steps = plan_day(small_day)

    assert broken_rules(small_day, steps) == []


def test_the_checker_finds_a_courier_who_was_not_the_nearest():
    small_day = day(order(), courier("c1", at=(0, 100)), courier("c2", at=(0, 200)))
    sent = plan_day(day(order(), courier("c2", at=(0, 200))))

    broken = broken_rules(small_day, sent)

    assert broken == ["c1 was free and nearer to o1 than c2"]


def test_the_checker_finds_an_order_cancelled_despite_a_free_courier():
    small_day = day(order(), courier())
    left = plan_day(day(order()))

    broken = broken_rules(small_day, left)

    assert broken == ["c1 was free for o1 from 36600, but it waited until 39600"]


def test_the_checker_finds_a_courier_who_is_too_fast():
    small_day = day(order(), courier(at=(0, 200)))
    quick = tuple(evolve(step, at=step.at - 1) if step.number == 5 else step for step in plan_day(small_day))

    broken = broken_rules(small_day, quick)

    assert broken == ["c1 takes 299 s from (0, 0) to (500, 0)"]


def test_the_checker_finds_two_orders_of_a_courier_at_once():
    both = plan_day(day(order("o1"), order("o2"), courier("c1"), courier("c2")))
    small_day = day(order("o1"), order("o2"), courier("c1"))
    one_hand = tuple(evolve(step, shipper_id="c1") if step.shipper_id else step for step in both)

    broken = broken_rules(small_day, one_hand)

    assert "c1 has o1 and o2 at once" in broken


def test_the_checker_finds_a_courier_off_shift():
    taken = plan_day(day(order(), courier()))
    small_day = day(order(), courier(off=600))

    broken = broken_rules(small_day, taken)

    assert "c1 takes o1 off shift" in broken


def test_the_checker_finds_an_order_that_jumped_the_queue():
    small_day = day(order("o1", ready=611), order("o2", ready=612), courier(on=613))
    jumped = tuple(
        evolve(step, order_id={"o1": "o2", "o2": "o1"}[step.order_id]) if step.action is not StepAction.PLACE else step
        for step in plan_day(small_day)
    )

    broken = broken_rules(small_day, jumped)

    assert "o2 is taken before o1, which was ready first" in broken
