"""A generated day has the properties of a real one."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orderflow.domain.errors import InvalidInput
from orderflow.entrypoints.simulation.generate_day import CLOSES, LAST_SHIFT_ENDS, MAX_ORDERS, OPENS, generate_day

from .days import planned_figures


@settings(max_examples=30)
@given(orders=st.integers(1, 300), seed=st.integers(0, 2**64))
def test_a_day_has_the_requested_orders_and_is_valid(orders, seed):
    day = generate_day(orders, seed)

    assert len(day.orders) == orders
    assert len({order.id for order in day.orders}) == orders
    assert {order.restaurant for order in day.orders} <= {restaurant.id for restaurant in day.restaurants}
    assert all(OPENS <= order.placed_at <= CLOSES for order in day.orders)
    assert all(order.placed_at <= order.ready_at for order in day.orders)
    assert all(OPENS <= courier.on < courier.off <= LAST_SHIFT_ENDS for courier in day.couriers)
    assert all(min(row.x, row.y) >= 0 for rows in (day.orders, day.couriers, day.restaurants) for row in rows)


def test_another_seed_generates_another_day():
    day = generate_day(250, 11)

    other = generate_day(250, 12)

    assert other.orders != day.orders
    assert other.couriers != day.couriers


def test_the_day_of_a_seed_never_changes():
    # a change here changes every run that is compared with an earlier one
    day = generate_day(2, 1)

    assert day.name == "synthetic-2-1"
    assert [(order.x, order.y, order.placed_at, order.ready_at) for order in day.orders] == [
        (2576, 6123, 732, 740),
        (1544, 9635, 1133, 1143),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_lunch_and_dinner_are_the_peaks(seed):
    minutes = [order.placed_at for order in generate_day(1000, seed).orders]

    lunch, quiet, dinner = (sum(start <= minute < start + 90 for minute in minutes) for start in (695, 900, 1095))

    assert min(lunch, dinner) > 6 * quiet


def test_some_restaurants_are_much_more_popular_than_others():
    asked = Counter(order.restaurant for order in generate_day(1500, 1).orders)

    most, median = asked.most_common(1)[0][1], sorted(asked.values())[len(asked) // 2]

    assert most > 3 * median


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("orders", [300, 1500])
def test_most_orders_are_delivered_and_not_all(orders, seed):
    figures = planned_figures(generate_day(orders, seed))

    assert 0.93 <= figures.delivered / figures.orders < 1
    assert 25 < figures.median_minutes < 50
    assert set(figures.cancelled) == {"no_courier"}


@pytest.mark.parametrize("orders", [0, -1, MAX_ORDERS + 1])
def test_a_number_of_orders_out_of_bounds_is_refused(orders):
    with pytest.raises(InvalidInput, match="orders"):
        generate_day(orders, 1)


def test_a_negative_seed_is_refused_because_it_would_repeat_the_positive_one():
    with pytest.raises(InvalidInput, match="seed"):
        generate_day(10, -1)
