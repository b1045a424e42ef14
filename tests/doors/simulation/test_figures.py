"""The figures of a day, counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orderflow.domain.lifecycle import OrderState
from orderflow.entrypoints.simulation.figures import DayFigures, Outcome, day_figures


def delivered(minutes: float, *, placed: float = 600) -> Outcome:
    return Outcome(placed_at=placed * 60, ended_at=(placed + minutes) * 60, state=OrderState.DELIVERED)


def cancelled(reason: str) -> Outcome:
    return Outcome(placed_at=0, ended_at=3600, state=OrderState.CANCELLED, reason=reason)


def test_orders_are_counted_by_outcome():
    waiting = Outcome(placed_at=0, ended_at=None, state=OrderState.PREPARING)
    outcomes = [delivered(30), cancelled("b"), delivered(40), cancelled("a"), delivered(41), cancelled("b"), waiting]

    figures = day_figures(outcomes, target_minutes=40)

    assert figures == DayFigures(
        orders=7,
        delivered=3,
        cancelled={"b": 2, "a": 1},
        unfinished=1,
        target_minutes=40,
        median_minutes=40,
        p90_minutes=41,
        within_target=2 / 3,
    )
    assert list(figures.cancelled) == ["b", "a"]


@pytest.mark.parametrize(
    ("minutes", "median", "p90"),
    [
        ([7], 7, 7),
        ([1, 2], 1, 2),
        ([1, 2, 3], 2, 3),
        ([1, 2, 3, 4], 2, 4),
        (list(range(1, 11)), 5, 9),
        (list(range(1, 12)), 6, 10),
        (list(range(100, 0, -1)), 50, 90),
    ],
)
def test_percentiles_are_by_nearest_rank(minutes, median, p90):
    outcomes = [delivered(taken) for taken in minutes]

    figures = day_figures(outcomes, target_minutes=40)

    assert (figures.median_minutes, figures.p90_minutes) == (median, p90)


@given(st.lists(st.integers(0, 200), min_size=1))
def test_a_percentile_is_the_least_time_that_so_many_per_cent_do_not_exceed(minutes):
    figures = day_figures([delivered(taken) for taken in minutes], target_minutes=40)

    for percent, value in ((50, figures.median_minutes), (90, figures.p90_minutes)):
        enough = [taken for taken in minutes if 100 * sum(m <= taken for m in minutes) >= percent * len(minutes)]
        assert value == min(enough)


def test_a_delivery_that_takes_exactly_the_target_is_within_it():
    figures = day_figures([delivered(40), delivered(40 + 1 / 60)], target_minutes=40)

    assert figures.within_target == 0.5


def test_cancelled_orders_do_not_count_in_the_times():
    figures = day_figures([delivered(10), cancelled("no_courier")], target_minutes=5)

    assert (figures.median_minutes, figures.within_target) == (10, 0)


def test_a_day_without_deliveries_has_no_times():
    figures = day_figures([cancelled("no_courier")], target_minutes=40)

    assert (figures.median_minutes, figures.p90_minutes, figures.within_target) == (None, None, None)
