"""Retrying a command after a write conflict, a bounded number of times."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ...domain.errors import ConcurrentChange

ATTEMPTS = 10
"""Each conflict means that another transaction committed, so this bounds unfairness, not progress."""

T = TypeVar("T")


async def retry_on_conflict(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return the result of ``attempt``, which reads again each time. Raises the last ConcurrentChange."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await attempt()
        except ConcurrentChange:
            continue
    return await attempt()
