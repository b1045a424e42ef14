"""Small days to live: everything a minute's walk apart unless a test says otherwise."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import strategies as st
from orderflow.application.day.day import Courier, Day, DayOrder, Parameters, Restaurant

REAL_DAYS = ("1o100t100s1p100", "2o100t100s1p100", "4o100t100s1p100", "6o100t100s1p100", "8o100t100s1p100")
_DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "mdrp"


def real_day(name: str) -> Path:
    """The folder of a published day, or a skip that names it."""
    folder = _DATA / name
    if not folder.is_dir():
        pytest.skip(f"the published day {name} is not in {_DATA.relative_to(Path(__file__).parents[3])}")
    return folder


def parameters(**changes: float) -> Parameters:
    """100 metres a minute, 4 minutes at the counter and 3 at the door, at most 60 from click to door."""
    given: dict[str, float] = {
        "metres_per_minute": 100,
        "pickup_minutes": 4,
        "dropoff_minutes": 3,
        "target_click_to_door": 40,
        "maximum_click_to_door": 60,
        **changes,
    }
    return Parameters(**given, pay_per_order=Decimal(10), guaranteed_pay_per_hour=Decimal("15.50"))


def order(id: str = "o1", *, placed: float = 600, ready: float = 610, at: tuple[float, float] = (500, 0)) -> DayOrder:
    return DayOrder(id=id, x=at[0], y=at[1], placed_at=placed, restaurant="r1", ready_at=ready)


def courier(id: str = "c1", *, on: float = 0, off: float = 1440, at: tuple[float, float] = (0, 0)) -> Courier:
    return Courier(id=id, x=at[0], y=at[1], on=on, off=off)


def day(*rows: DayOrder | Courier | Restaurant, **changes: float) -> Day:
    """A day of those rows; the restaurant r1 at the origin is there where none is given."""
    return Day(
        name="small",
        orders=tuple(row for row in rows if isinstance(row, DayOrder)),
        couriers=tuple(row for row in rows if isinstance(row, Courier)),
        restaurants=tuple(row for row in rows if isinstance(row, Restaurant)) or (Restaurant(id="r1", x=0, y=0),),
        parameters=parameters(**changes),
    )


_places = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda at: (at[0] * 250.0, at[1] * 250.0))
_minutes = st.integers(0, 600).map(lambda quarter: quarter / 4)


@st.composite
def crowded_days(draw: st.DrawFn) -> Day:
    """Few places and few couriers, so that equal distances, queues and shifts that end matter."""
    restaurants = tuple(
        Restaurant(id=f"r{n}", x=x, y=y) for n, (x, y) in enumerate(draw(st.lists(_places, min_size=1, max_size=3)))
    )
    orders = []
    for number in range(draw(st.integers(0, 25))):
        (x, y), placed, prepared = draw(_places), draw(_minutes), draw(_minutes)
        restaurant = draw(st.sampled_from(restaurants)).id
        orders.append(
            DayOrder(id=f"o{number}", x=x, y=y, placed_at=placed, restaurant=restaurant, ready_at=placed + prepared / 2)
        )
    couriers = []
    for number in range(draw(st.integers(0, 6))):
        (x, y), on, length = draw(_places), draw(_minutes), draw(_minutes)
        couriers.append(Courier(id=f"c{number}", x=x, y=y, on=on, off=on + length))
    speed, patience = draw(st.sampled_from((100, 320, 333.3))), draw(st.sampled_from((0.5, 20, 45.25)))
    return Day(
        name="crowded",
        orders=tuple(draw(st.permutations(orders))),
        couriers=tuple(draw(st.permutations(couriers))),
        restaurants=restaurants,
        parameters=parameters(
            metres_per_minute=speed, maximum_click_to_door=patience, pickup_minutes=draw(st.sampled_from((0.25, 4)))
        ),
    )
