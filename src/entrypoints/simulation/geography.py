"""Distances and the time that a courier takes for them."""

import math

Point = tuple[float, float]
"""Metres east and north."""


def travel_seconds(start: Point, end: Point, metres_per_minute: float) -> int:
    """Return the time for the straight line from ``start`` to ``end``, rounded up to a whole second."""
    return math.ceil(math.sqrt(squared_distance(start, end)) * 60 / metres_per_minute)


def squared_distance(start: Point, end: Point) -> float:
    """Exact for whole metres, so that equal distances are equal numbers, on every machine (math.hypot is not)."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    return dx * dx + dy * dy
