"""What a plan asks for is what orders allow, and the same day twice is the same day."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orderflow.application.day.day import Day
from orderflow.application.day.figures import day_figures, planned_outcomes
from orderflow.application.day.plan import StepAction, plan_day
from orderflow.application.day.reading import read_day
from orderflow.application.day.synthetic import synthesise
from orderflow.application.day.writing import write_day
from orderflow.domain.history import facts, fold
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.payment import PaymentMethod, PaymentStatus

from .days import REAL_DAYS, crowded_days, real_day
from .replayed import Replay, replay
from .rules import broken_rules


@cache
def lived_day(name: str) -> Replay:
    """The published day of that name, lived once for every test that looks at it."""
    return replay(read_day(real_day(name)))


def as_bytes(lived: Replay) -> Iterator[bytes]:
    for events in lived.events.values():
        for event in events:
            yield repr((event.id, event)).encode()


@settings(max_examples=60, deadline=None)
@given(crowded_days())
def test_every_order_ends_and_its_events_tell_what_it_is(day: Day):
    lived = replay(day)

    assert len(lived.orders) == len(day.orders)
    assert all(order.state.terminal for order in lived.orders.values())
    assert all(fold(lived.events[key]) == facts(order) for key, order in lived.orders.items())


@settings(max_examples=20, deadline=None)
@given(orders=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_every_synthetic_day_keeps_the_rules_to_its_end(orders: int, seed: int):
    day = synthesise(orders, seed)

    lived = replay(day)

    assert broken_rules(day, plan_day(day)) == []
    assert len(lived.orders) == orders
    assert all(order.state.terminal for order in lived.orders.values())


def test_who_got_a_meal_has_paid_and_who_got_none_has_not():
    day = synthesise(300, 1)

    lived = replay(day)

    paid = {(order.state, order.payment.method is PaymentMethod.CASH): set() for order in lived.orders.values()}
    for order in lived.orders.values():
        paid[order.state, order.payment.method is PaymentMethod.CASH].add(order.payment.status)
    assert paid == {
        (OrderState.DELIVERED, True): {PaymentStatus.PAID},
        (OrderState.DELIVERED, False): {PaymentStatus.PAID},
        (OrderState.CANCELLED, True): {PaymentStatus.PENDING},
        (OrderState.CANCELLED, False): {PaymentStatus.REFUNDED},
    }


def test_the_same_day_twice_gives_the_same_events_byte_for_byte():
    first, second = synthesise(200, 7), synthesise(200, 7)

    events, again = list(as_bytes(replay(first))), list(as_bytes(replay(second)))

    assert events == again
    assert len(events) > 1000


@pytest.mark.parametrize("name", REAL_DAYS)
def test_a_published_day_is_read_whole_and_written_back_equal(name, tmp_path):
    folder = real_day(name)
    rows = len((folder / "orders.txt").read_text().splitlines()) - 1

    day = read_day(folder)
    write_day(day, tmp_path / name)

    assert len(day.orders) == rows
    assert read_day(tmp_path / name) == day
    assert all((tmp_path / name / file.name).read_bytes() == file.read_bytes() for file in folder.iterdir())


@pytest.mark.parametrize("name", REAL_DAYS)
def test_a_published_day_keeps_the_rules(name):
    day = read_day(real_day(name))

    steps = plan_day(day)

    assert broken_rules(day, steps) == []


@pytest.mark.parametrize("name", REAL_DAYS)
def test_a_published_day_ends_with_every_order_ended_and_told_by_its_events(name):
    day = read_day(real_day(name))

    lived = lived_day(name)

    assert len(lived.orders) == len(day.orders)
    assert all(order.state.terminal for order in lived.orders.values())
    assert all(fold(lived.events[key]) == facts(order) for key, order in lived.orders.items())


@pytest.mark.parametrize("name", REAL_DAYS)
def test_a_published_day_gives_the_same_events_twice(name):
    day = read_day(real_day(name))

    again = replay(day)

    assert all(one == other for one, other in zip(as_bytes(again), as_bytes(lived_day(name)), strict=True))


@pytest.mark.parametrize("name", REAL_DAYS)
def test_the_figures_of_a_published_day_count_every_order_once(name):
    day = read_day(real_day(name))
    steps = plan_day(day)

    figures = day_figures(planned_outcomes(steps), target_minutes=day.parameters.target_click_to_door)

    assert figures.orders == len(day.orders)
    assert figures.delivered == sum(step.action is StepAction.DELIVER for step in steps)
    assert figures.delivered + sum(figures.cancelled.values()) == figures.orders
    assert figures.unfinished == 0
