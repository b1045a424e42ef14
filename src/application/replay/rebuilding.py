"""Courses that are built beside those in use, and take their place at once."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from attrs import frozen

from ..analytics.ports import AnalyticsTransaction
from .replay_range import StoppedOrder


@frozen(kw_only=True)
class SwapResult:
    """Of ``courses`` in use now, so many are ``changed`` or new; so many others were ``removed``."""

    courses: int
    changed: int
    removed: int


class RebuildTransaction(AnalyticsTransaction, Protocol):
    """A transaction of the consumer *analytics* whose ``analytics`` are the courses beside."""

    async def swap(self) -> SwapResult:
        """From the commit on the courses beside are those in use, and none are beside."""
        ...


class AnalyticsShadow(Protocol):
    """What is beside. It is seen by nobody, and belongs to the run that began last."""

    async def begin(self, run: str) -> None:
        """Nothing is beside any more. Raises StorageUnavailable."""
        ...

    def store(self, run: str) -> AbstractAsyncContextManager[RebuildTransaction]:
        """A transaction of ``run``. Raises RebuildOvertaken when another has begun since; StorageUnavailable."""
        ...


@frozen(kw_only=True)
class RebuildResult:
    """What came of a rebuild of so many ``events``; ``swapped`` is None where all was left as it was.

    ``stopped`` are the orders that an event failed of. One that is parked there waits for a redrive as before; where
    analytics knows of later events of such an order, it would lose them, so that nothing is swapped.
    """

    events: int
    swapped: SwapResult | None
    stopped: tuple[StoppedOrder, ...] = ()
