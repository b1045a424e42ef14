"""Waiting for a condition until a deadline: the one place in the tests that may sleep."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, deadline: float = 120.0, every: float = 0.02, that: str = "") -> T:
    """Return the first true value of ``condition``.

    :param every: seconds between two calls; after a longer wait a twentieth of it, up to half a second.
    :param deadline: seconds from now; the condition is asked at least once, and once more at the end.
    :param that: what should become true, in words, for the message.
    :raises AssertionError: at the deadline, with ``that`` and the last value seen.
    """
    began = time.monotonic()
    end = began + deadline
    while True:
        last_try = time.monotonic() >= end
        if value := condition():
            return value
        if last_try:
            raise AssertionError(_never(condition, value, deadline, that))
        time.sleep(_pause(every, began, end))


@overload
async def eventually_async(
    condition: Callable[[], Awaitable[T]], *, deadline: float = 120.0, every: float = 0.02, that: str = ""
) -> T: ...
@overload
async def eventually_async(
    condition: Callable[[], T], *, deadline: float = 120.0, every: float = 0.02, that: str = ""
) -> T: ...
async def eventually_async(
    condition: Callable[[], Awaitable[T] | T], *, deadline: float = 120.0, every: float = 0.02, that: str = ""
) -> T:
    """As :func:`eventually`, on the running event loop; the condition may be a coroutine function."""
    began = time.monotonic()
    end = began + deadline
    while True:
        last_try = time.monotonic() >= end
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if last_try:
            raise AssertionError(_never(condition, value, deadline, that))
        await asyncio.sleep(_pause(every, began, end))


def _pause(every: float, began: float, end: float) -> float:
    now = time.monotonic()
    return max(0.0, min(max(every, min((now - began) / 20, 0.5)), end - now))


def _never(condition: object, value: object, deadline: float, that: str) -> str:
    what = that or getattr(condition, "__name__", repr(condition))
    return f"not true within {deadline:g} s: {what} (last seen: {value!r})"
