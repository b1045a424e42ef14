"""The current rollout, cached in the process."""

import logging
from asyncio import Lock
from collections.abc import Callable
from time import monotonic

from attrs import define, field

from .rollout import Rollout, RolloutState

REFRESH_SECONDS = 0.4
"""A change takes effect well within a second."""

logger = logging.getLogger("orderflow.rollout")


@define(eq=False)
class CachedRollout:
    """Reads the rollout from the storage at most every ``every`` seconds, and logs changes of the share.

    A change takes effect within ``every`` seconds and the time of that query. Raises StorageUnavailable.
    """

    rollout: Rollout
    buckets: Callable[[], int]
    every: float = REFRESH_SECONDS
    clock: Callable[[], float] = monotonic
    _current: RolloutState = field(factory=RolloutState, init=False)
    _until: float | None = field(default=None, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    async def __call__(self) -> RolloutState:
        if self._is_stale():
            async with self._lock:
                if self._is_stale():  # another task may have refreshed it meanwhile
                    requested_at = self.clock()
                    self._set(await self.rollout.current_rollout())
                    self._until = requested_at + self.every
        return self._current

    def _set(self, current_rollout: RolloutState) -> None:
        if current_rollout.percent != self._current.percent:
            logger.info(
                "publishing %d %% of the orders", current_rollout.percent, extra={"percent": current_rollout.percent}
            )
        self._current = current_rollout

    def _is_stale(self) -> bool:
        return self._until is None or self.clock() >= self._until

    async def published_buckets(self) -> int:
        """Return the number of buckets, from 0 on, that are published now."""
        return (await self()).published_buckets(self.buckets())

    async def pauses(self, consumer: str) -> bool:
        """Return True if ``consumer`` is paused now."""
        return consumer in (await self()).paused
