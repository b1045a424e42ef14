"""What is written is read back equal."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from orderflow.application.day.day import Courier, Day, DayOrder, Parameters, Restaurant
from orderflow.application.day.reading import read_day
from orderflow.application.day.synthetic import synthesise
from orderflow.application.day.writing import write_day

IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
METRES = st.floats(0, 10_000_000) | st.integers(0, 10_000_000)
MINUTES = st.floats(0, 2880) | st.integers(0, 2880)
CLICK_TO_DOOR = st.floats(1, 1440)
PAY = st.decimals(0, 1_000_000, places=2)
RESTAURANTS = st.builds(Restaurant, id=IDS, x=METRES, y=METRES)
COURIERS = st.builds(
    lambda name, x, y, times: Courier(id=name, x=x, y=y, on=min(times), off=max(times)),
    IDS,
    METRES,
    METRES,
    st.tuples(MINUTES, MINUTES),
)
PARAMETERS = st.builds(
    Parameters,
    metres_per_minute=st.floats(1, 100_000),
    pickup_minutes=st.floats(0, 1440),
    dropoff_minutes=st.floats(0, 1440),
    target_click_to_door=CLICK_TO_DOOR,
    maximum_click_to_door=CLICK_TO_DOOR,
    pay_per_order=PAY,
    guaranteed_pay_per_hour=PAY,
)


@st.composite
def days(draw: st.DrawFn) -> Day:
    restaurants = draw(st.lists(RESTAURANTS, min_size=1, max_size=4, unique_by=lambda row: row.id))
    orders = st.builds(
        lambda name, x, y, times, restaurant: DayOrder(
            id=name, x=x, y=y, placed_at=min(times), restaurant=restaurant.id, ready_at=max(times)
        ),
        IDS,
        METRES,
        METRES,
        st.tuples(MINUTES, MINUTES),
        st.sampled_from(restaurants),
    )
    return Day(
        name="day",
        orders=tuple(draw(st.lists(orders, max_size=4, unique_by=lambda row: row.id))),
        couriers=tuple(draw(st.lists(COURIERS, max_size=4, unique_by=lambda row: row.id))),
        restaurants=tuple(restaurants),
        parameters=draw(PARAMETERS),
    )


@settings(max_examples=100, deadline=None)
@given(days())
def test_every_day_is_read_back_equal(day):
    with TemporaryDirectory() as there:
        folder = Path(there) / day.name

        write_day(day, folder)

        assert read_day(folder) == day


def test_a_synthetic_day_is_read_back_equal(tmp_path):
    day = synthesise(150, 5)

    write_day(day, tmp_path / day.name)

    assert read_day(tmp_path / day.name) == day


def test_whole_numbers_are_written_without_a_fraction(tmp_path):
    day = evolve(synthesise(1, 1), restaurants=(Restaurant(id="r1", x=1200.0, y=0.5),))

    write_day(day, tmp_path)

    assert (tmp_path / "restaurants.txt").read_bytes() == b"restaurant\tx\ty\nr1\t1200\t0.5\n"


def test_amounts_are_written_as_they_were_given(tmp_path):
    day = synthesise(1, 1)
    paid = evolve(
        day, parameters=evolve(day.parameters, pay_per_order=Decimal("10.50"), guaranteed_pay_per_hour=Decimal("1E+1"))
    )

    write_day(paid, tmp_path)

    assert (tmp_path / "instance_parameters.txt").read_text().splitlines()[1].endswith("\t10.50\t10")


def test_writing_again_replaces_what_was_there(tmp_path):
    write_day(synthesise(50, 1), tmp_path / "synthetic-10-1")
    day = synthesise(10, 1)

    write_day(day, tmp_path / day.name)

    assert read_day(tmp_path / day.name) == day
