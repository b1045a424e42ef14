"""The shadow table of a rebuild of analytics."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from attrs import frozen

from ..analytics.ports import AnalyticsTransaction
from .replay_range import MissingPosition, StoppedOrder


@frozen(kw_only=True)
class SwapResult:
    """The result of a swap: the number of ``orders``, of those that ``changed`` or are new, and of ``removed`` ones."""

    orders: int
    changed: int
    removed: int


class RebuildTransaction(AnalyticsTransaction, Protocol):
    """A transaction of the consumer *analytics* whose ``analytics`` store is the shadow table."""

    async def swap(self) -> SwapResult:
        """Replace the data in use by the shadow table's, and empty the shadow table."""
        ...


class AnalyticsShadow(Protocol):
    """The shadow table, which no query reads. It belongs to the last rebuild that was started."""

    async def begin(self, run: str) -> None:
        """Start a rebuild: empty the shadow table. Raises StorageUnavailable."""
        ...

    def store(self, run: str) -> AbstractAsyncContextManager[RebuildTransaction]:
        """Begin a transaction of ``run``. Raises RebuildOvertaken if another was started since; StorageUnavailable."""
        ...


@frozen(kw_only=True)
class RebuildResult:
    """The result of a rebuild from ``events``. ``swapped`` is None if the data in use was left unchanged.

    ``stopped`` are orders with an event that failed. If such an order is parked there, it stays parked. If analytics
    includes later events of it, they would be lost, so nothing is swapped. Neither is it if events are ``missing``: the
    cursors are beyond the end of the log.
    """

    events: int
    swapped: SwapResult | None
    stopped: tuple[StoppedOrder, ...] = ()
    missing: tuple[MissingPosition, ...] = ()
