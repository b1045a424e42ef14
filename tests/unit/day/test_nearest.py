"""Who stands nearest, whatever the grid; the plain answer is the least (distance, id)."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orderflow.application.day.nearest import FEW, Nearest

CROWDS = st.integers(1, 10 * FEW)
CHANCES = st.randoms(use_true_random=False)
# Coarse steps make equal distances, fine ones points close to the edge of a cell.
STEPS = st.sampled_from((0.7, 10, 32, 64))
CELLS = st.sampled_from((1.0, 64.0, 100.0, 5_000.0))


def plain_answer(points: dict[str, tuple[float, float]], x: float, y: float) -> str:
    return min(points, key=lambda one: ((points[one][0] - x) ** 2 + (points[one][1] - y) ** 2, one))


def somewhere(chance: Random, step: float) -> tuple[float, float]:
    return chance.randrange(20) * step, chance.randrange(-5, 20) * step


def standing(points: dict[str, tuple[float, float]], cell: float) -> Nearest:
    near = Nearest(cell=cell)
    for point, place in points.items():
        near.put(point, *place)
    return near


@settings(max_examples=300, deadline=None)
@given(CROWDS, CHANCES, STEPS, CELLS)
def test_the_nearest_is_who_a_look_at_each_finds(crowd, chance, step, cell):
    points = {f"p{number}": somewhere(chance, step) for number in range(crowd)}
    near = standing(points, cell)
    asked = somewhere(chance, step)

    found = near.nearest(*asked)

    assert found == plain_answer(points, *asked)


@settings(max_examples=100, deadline=None)
@given(CROWDS, CHANCES, STEPS)
def test_who_moved_or_left_is_found_where_they_are_now_or_not_at_all(crowd, chance, step):
    points = {f"p{number}": somewhere(chance, step) for number in range(crowd)}
    near = standing(points, 64)
    for point in list(points)[1::3]:
        points[point] = somewhere(chance, step)
        near.put(point, *points[point])
    for point in list(points)[1::2]:
        del points[point]
        near.drop(point)

    found = near.nearest(3 * step, 3 * step)

    assert found == plain_answer(points, 3 * step, 3 * step)
    assert len(near) == len(points)


def test_a_crowd_far_away_is_found():
    far = {f"p{number:03}": (100_000.0 + number, 0.0) for number in range(10 * FEW)}

    found = standing(far, 1_000).nearest(0, 0)

    assert found == "p000"


@pytest.mark.parametrize("crowd", [2, 10 * FEW])
def test_among_equally_near_points_the_least_id_is_found(crowd):
    near = Nearest(cell=10)
    for number in range(crowd):
        near.put(f"p{number:04}", 100, 50)

    found = near.nearest(0, 0)

    assert found == "p0000"


def test_where_there_is_nobody_nobody_is_found():
    near = Nearest(cell=10)
    near.put("p1", 0, 0)
    near.drop("p1")

    found = near.nearest(0, 0)

    assert found is None


def test_leaving_without_having_come_is_no_mistake():
    near = Nearest(cell=10)

    near.drop("p1")

    assert len(near) == 0
