"""Small days for the tests of the simulation."""

from pathlib import Path

import pytest
from hypothesis import strategies as st
from orderflow.domain.lifecycle import OrderState
from orderflow.entrypoints.simulation.day import Courier, Day, DayOrder, Parameters, Restaurant
from orderflow.entrypoints.simulation.dispatch_plan import StepAction, plan_day
from orderflow.entrypoints.simulation.figures import DayFigures, Outcome, day_figures

REAL_DAYS = ("1o100t100s1p100", "2o100t100s1p100", "4o100t100s1p100", "6o100t100s1p100", "8o100t100s1p100")
_DATA = Path(__file__).parents[3] / ".." / "shared" / "data" / "mdrp"


def real_day(name: str) -> Path:
    """The folder of a published day. Skips the test if it is not there."""
    folder = _DATA / name
    if not folder.is_dir():
        pytest.skip(f"the published day {name} is not in {_DATA.relative_to(Path(__file__).parents[3])}")
    return folder


def parameters(**changes: float) -> Parameters:
    """100 metres per minute, 4 minutes for pickup and 3 for drop-off, at most 60 from click to door."""
    given: dict[str, float] = {
        "metres_per_minute": 100,
        "pickup_minutes": 4,
        "dropoff_minutes": 3,
        "target_click_to_door": 40,
        "maximum_click_to_door": 60,
        **changes,
    }
    return Parameters(**given, pay_per_order=10, guaranteed_pay_per_hour=15.5)


def order(id: str = "o1", *, placed: float = 600, ready: float = 610, at: tuple[float, float] = (500, 0)) -> DayOrder:
    return DayOrder(id=id, x=at[0], y=at[1], placed_at=placed, restaurant="r1", ready_at=ready)


def courier(id: str = "c1", *, on: float = 0, off: float = 1440, at: tuple[float, float] = (0, 0)) -> Courier:
    return Courier(id=id, x=at[0], y=at[1], on=on, off=off)


def day(*rows: DayOrder | Courier | Restaurant, **changes: float) -> Day:
    """A day of those rows, with the restaurant r1 at the origin unless one is given."""
    return Day(
        name="small",
        orders=tuple(row for row in rows if isinstance(row, DayOrder)),
        couriers=tuple(row for row in rows if isinstance(row, Courier)),
        restaurants=tuple(row for row in rows if isinstance(row, Restaurant)) or (Restaurant(id="r1", x=0, y=0),),
        parameters=parameters(**changes),
    )


def planned_figures(day: Day) -> DayFigures:
    """The figures of a day that goes exactly as planned."""
    steps = plan_day(day)
    ends = {StepAction.DELIVER: OrderState.DELIVERED, StepAction.CANCEL: OrderState.CANCELLED}
    placed = {step.order_id: step.at for step in steps if step.action is StepAction.PLACE}
    outcomes = [
        Outcome(placed_at=placed[step.order_id], ended_at=step.at, state=ends[step.action], reason=step.reason)
        for step in steps
        if step.action in ends
    ]
    return day_figures(outcomes, target_minutes=day.parameters.target_click_to_door)


_places = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda at: (at[0] * 250.0, at[1] * 250.0))
_minutes = st.integers(0, 600).map(lambda quarter: quarter / 4)


@st.composite
def crowded_days(draw: st.DrawFn) -> Day:
    """Days with few places and few couriers, so that equal distances, queues and ends of shifts matter."""
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
    speed, patience = draw(st.sampled_from((100, 320, 333.3))), draw(st.sampled_from((1, 20, 45.25)))
    return Day(
        name="crowded",
        orders=tuple(draw(st.permutations(orders))),
        couriers=tuple(draw(st.permutations(couriers))),
        restaurants=restaurants,
        parameters=parameters(
            metres_per_minute=speed, maximum_click_to_door=patience, pickup_minutes=draw(st.sampled_from((0.25, 4)))
        ),
    )
