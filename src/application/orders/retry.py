"""A command that lost a race is asked again, a bounded number of times, where it still makes sense."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...domain.errors import ConcurrentChange

ATTEMPTS = 10
"""Each lost attempt means that somebody else's went through, so this bounds unfairness, not progress."""

T = TypeVar("T")


async def again_on_conflict(attempt: Callable[[], Awaitable[T]]) -> T:
    """The outcome of ``attempt``, which reads afresh each time. Raises the last ConcurrentChange."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt()
        except ConcurrentChange:
            continue
    return await attempt()
