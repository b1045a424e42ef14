"""A check that the cost of an operation grows linearly with its input, on a machine of any speed and load."""

from collections.abc import Callable
from time import thread_time_ns

GROWTH = 16
"""A linear operation takes 16 times as long for a text of 16 times the size, a quadratic one 256 times."""
_LIMIT = 4 * GROWTH
_TRIALS = 5
_SHORTEST = 1_000
"""The nanoseconds that a call counts at least: the clock of a thread that is interrupted may stand still."""


def grows_linearly(operation: Callable[[str], object], text: Callable[[int], str], *, size: int = 1_000) -> bool:
    """Return whether ``operation`` on a text of 16 times the size takes less than 64 times as long.

    ``size`` must be so large that a quadratic operation takes longer than a call. Only the thread's own processor time
    counts. A ratio above the limit must hold for the least of several trials.
    """
    small, large = text(size), text(size * GROWTH)
    least_small, least_large = _cost(operation, small), _cost(operation, large)
    for _ in range(_TRIALS):
        if least_large < _LIMIT * least_small:
            return True
        least_small, least_large = min(least_small, _cost(operation, small)), min(least_large, _cost(operation, large))
    return False


def _cost(operation: Callable[[str], object], text: str) -> int:
    began = thread_time_ns()
    operation(text)
    return max(thread_time_ns() - began, _SHORTEST)
