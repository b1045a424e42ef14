"""Adapters whose calls are crash points, for the container."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from attrs import frozen
from orderflow.testing.crash_points import CrashPoints, NumberedCalls

_PORTS = ("committer", "views", "log", "cursors", "answers", "attempts", "rollout", "epochs")
_BOOKS = ("notifications", "analytics", "reservations", "webhooks", "dead_letters")
_VIEWS = ("notifications", "analytics", "shortages", "webhooks", "dead_letters", "contacts", "stock")


@frozen
class NumberedStorage:
    """A storage whose ports are crash points."""

    inner: Any
    crash_points: CrashPoints

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return NumberedCalls(found, self.crash_points, name) if name in _PORTS else found


@frozen
class NumberedEffects:
    """The stores of the consumers: a transaction's beginning, each call in it, and its commit are crash points."""

    inner: Any
    crash_points: CrashPoints

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        return NumberedCalls(found, self.crash_points, name) if name in _VIEWS else found

    @asynccontextmanager
    async def store(self, consumer: str) -> AsyncIterator["NumberedWork"]:
        async with AsyncExitStack() as transaction:
            with self.crash_points.crossing(f"{consumer}: begin"):
                work = await transaction.enter_async_context(self.inner.store(consumer))
            yield NumberedWork(work, self.crash_points, consumer)
            with self.crash_points.crossing(f"{consumer}: commit"):
                await transaction.aclose()


@frozen
class NumberedWork:
    inner: Any
    crash_points: CrashPoints
    consumer: str

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name in _BOOKS:
            return NumberedCalls(found, self.crash_points, f"{self.consumer}: {name}")
        return getattr(NumberedCalls(self.inner, self.crash_points, self.consumer), name)
