"""Every step of a plan is one that the order allows, and the same day always has the same events."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orderflow.domain.history import facts_of, fold
from orderflow.domain.lifecycle import OrderState
from orderflow.domain.payment import PaymentMethod, PaymentStatus
from orderflow.entrypoints.simulation.day import Day
from orderflow.entrypoints.simulation.day_files import read_day
from orderflow.entrypoints.simulation.dispatch_plan import plan_day
from orderflow.entrypoints.simulation.generate_day import generate_day

from .days import REAL_DAYS, crowded_days, real_day
from .dispatch_rules import broken_rules
from .order_histories import Histories, order_histories


def as_bytes(histories: Histories) -> Iterator[bytes]:
    for events in histories.events.values():
        for event in events:
            yield repr((event.id, event)).encode()


@settings(max_examples=60)
@given(crowded_days())
def test_every_order_ends_and_is_the_fold_of_its_events(day: Day):
    histories = order_histories(day)

    assert len(histories.orders) == len(day.orders)
    assert all(order.state.terminal for order in histories.orders.values())
    assert all(fold(histories.events[key]) == facts_of(order) for key, order in histories.orders.items())


@settings(max_examples=20)
@given(orders=st.integers(1, 60), seed=st.integers(0, 10_000))
def test_every_generated_day_keeps_the_rules_to_its_end(orders: int, seed: int):
    day = generate_day(orders, seed)

    histories = order_histories(day)

    assert broken_rules(day, plan_day(day)) == []
    assert len(histories.orders) == orders
    assert all(order.state.terminal for order in histories.orders.values())


def test_delivered_orders_are_paid_and_cancelled_ones_are_not():
    day = generate_day(300, 1)

    histories = order_histories(day)

    paid = {(order.state, order.payment.method is PaymentMethod.CASH): set() for order in histories.orders.values()}
    for order in histories.orders.values():
        paid[order.state, order.payment.method is PaymentMethod.CASH].add(order.payment.status)
    assert paid == {
        (OrderState.DELIVERED, True): {PaymentStatus.PAID},
        (OrderState.DELIVERED, False): {PaymentStatus.PAID},
        (OrderState.CANCELLED, True): {PaymentStatus.PENDING},
        (OrderState.CANCELLED, False): {PaymentStatus.PAID},  # and refunded when the gateway has said so
    }
    cancelled = [order for order in histories.orders.values() if order.state is OrderState.CANCELLED]
    assert all(order.refundable.amount == 0 for order in cancelled)


def test_the_same_day_twice_gives_the_same_events_byte_for_byte():
    first, second = generate_day(200, 7), generate_day(200, 7)

    events, again = list(as_bytes(order_histories(first))), list(as_bytes(order_histories(second)))

    assert events == again
    assert len(events) > 1000


@pytest.mark.parametrize("name", REAL_DAYS)
def test_a_published_day_keeps_the_rules_and_every_order_ends_and_is_the_fold_of_its_events(name):
    day = read_day(real_day(name))

    steps, histories = plan_day(day), order_histories(day)

    assert broken_rules(day, steps) == []
    assert len(histories.orders) == len(day.orders)
    assert all(order.state.terminal for order in histories.orders.values())
    assert all(fold(histories.events[key]) == facts_of(order) for key, order in histories.orders.items())
