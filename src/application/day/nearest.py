"""Who stands nearest: points on a grid, so that asking among thousands looks at a few."""

import math
from collections.abc import Iterable, Iterator

FEW = 24
"""Among so few, looking at each is quicker than walking the grid."""


class Nearest:
    """Points by id. ``cell`` is how wide a square holds a handful of them; it decides speed alone, no answer."""

    def __init__(self, *, cell: float) -> None:
        # With a power of two a point's cell is exact, so a whole ring of cells can be ruled out without an error.
        self._cell = 2.0 ** math.ceil(math.log2(max(cell, 1.0)))
        self._points: dict[str, tuple[float, float]] = {}
        self._cells: dict[tuple[int, int], set[str]] = {}

    def __len__(self) -> int:
        return len(self._points)

    def put(self, id: str, x: float, y: float) -> None:
        """Adds a point, or moves it."""
        self.drop(id)
        self._points[id] = (x, y)
        self._cells.setdefault(self._cell_of(x, y), set()).add(id)

    def drop(self, id: str) -> None:
        """Takes a point away; one that is not there is no mistake."""
        point = self._points.pop(id, None)
        if point is not None:
            cell = self._cell_of(*point)
            self._cells[cell].discard(id)
            if not self._cells[cell]:
                del self._cells[cell]

    def where(self, id: str) -> tuple[float, float]:
        """Raises KeyError for a point that is not there."""
        return self._points[id]

    def nearest(self, x: float, y: float) -> str | None:
        """The id of the point at the least distance, among equals the least id; None where there is no point."""
        if not self._points:
            return None
        best = min(self._rated(self._points, x, y)) if len(self._points) <= FEW else self._walk(x, y)
        return best[1]

    def _walk(self, x: float, y: float) -> tuple[float, str]:
        """Ring by ring outwards, until no farther ring can hold a nearer point. There must be a point."""
        column, row = self._cell_of(x, y)
        best = (math.inf, "")
        seen = ring = 0
        while seen < len(self._points):
            clear = max(0, ring - 1) * self._cell
            if clear * clear > best[0]:
                break
            for cell in _ring(column, row, ring):
                if ids := self._cells.get(cell):
                    seen += len(ids)
                    best = min(best, *self._rated(ids, x, y))
            ring += 1
        return best

    def _rated(self, ids: Iterable[str], x: float, y: float) -> Iterator[tuple[float, str]]:
        """Squared distance and id: squares keep whole metres exact, so equal distances are equal numbers."""
        for point in ids:
            there = self._points[point]
            dx, dy = there[0] - x, there[1] - y
            yield dx * dx + dy * dy, point

    def _cell_of(self, x: float, y: float) -> tuple[int, int]:
        return math.floor(x / self._cell), math.floor(y / self._cell)


def _ring(column: int, row: int, radius: int) -> Iterator[tuple[int, int]]:
    """The cells whose greater offset from the middle is ``radius``, each once."""
    if radius == 0:
        yield column, row
        return
    for offset in range(-radius, radius):
        yield column + offset, row - radius
        yield column + radius, row + offset
        yield column - offset, row + radius
        yield column - radius, row - offset
