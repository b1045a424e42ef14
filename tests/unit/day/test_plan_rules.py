"""Every plan keeps the rules, on crowded little days of all kinds; and the rules can be broken."""

from attrs import evolve
from hypothesis import given, settings
from orderflow.application.day.day import Day
from orderflow.application.day.plan import StepAction, plan_day
from orderflow.application.day.synthetic import synthesise

from .days import courier, crowded_days, day, order
from .rules import broken_rules


@settings(max_examples=300, deadline=None)
@given(crowded_days())
def test_no_courier_breaks_a_rule(lived: Day):
    steps = plan_day(lived)

    broken = broken_rules(lived, steps)

    assert broken == []


@settings(max_examples=50, deadline=None)
@given(crowded_days())
def test_the_order_of_the_rows_changes_nothing(lived: Day):
    turned = evolve(
        lived, orders=lived.orders[::-1], couriers=lived.couriers[::-1], restaurants=lived.restaurants[::-1]
    )

    steps = plan_day(turned)

    assert steps == plan_day(lived)


def test_a_synthetic_day_with_many_couriers_keeps_the_rules():
    lived = synthesise(400, 3)

    steps = plan_day(lived)

    assert broken_rules(lived, steps) == []


def test_the_check_sees_a_farther_courier_sent():
    lived = day(order(), courier("c1", at=(0, 100)), courier("c2", at=(0, 200)))
    sent = plan_day(day(order(), courier("c2", at=(0, 200))))

    broken = broken_rules(lived, sent)

    assert broken == ["c1 was free and nearer to o1 than c2"]


def test_the_check_sees_an_order_cancelled_beside_a_free_courier():
    lived = day(order(), courier())
    left = plan_day(day(order()))

    broken = broken_rules(lived, left)

    assert broken == ["c1 was free for o1 from 36600, but it waited until 39600"]


def test_the_check_sees_a_courier_who_is_too_quick():
    lived = day(order(), courier(at=(0, 200)))
    quick = tuple(evolve(step, at=step.at - 1) if step.number == 5 else step for step in plan_day(lived))

    broken = broken_rules(lived, quick)

    assert broken == ["c1 takes 299 s from (0, 0) to (500, 0)"]


def test_the_check_sees_two_orders_in_one_hand():
    both = plan_day(day(order("o1"), order("o2"), courier("c1"), courier("c2")))
    lived = day(order("o1"), order("o2"), courier("c1"))
    one_hand = tuple(evolve(step, shipper_id="c1") if step.shipper_id else step for step in both)

    broken = broken_rules(lived, one_hand)

    assert "c1 has o1 and o2 at once" in broken


def test_the_check_sees_a_courier_off_shift():
    taken = plan_day(day(order(), courier()))
    lived = day(order(), courier(off=600))

    broken = broken_rules(lived, taken)

    assert "c1 takes o1 off shift" in broken


def test_the_check_sees_who_jumped_the_queue():
    lived = day(order("o1", ready=611), order("o2", ready=612), courier(on=613))
    jumped = tuple(
        evolve(step, order_id={"o1": "o2", "o2": "o1"}[step.order_id]) if step.action is not StepAction.PLACE else step
        for step in plan_day(lived)
    )

    broken = broken_rules(lived, jumped)

    assert "o2 is taken before o1, which was ready first" in broken
