"""What is in force now, for those who have to know before every batch."""

import logging
from asyncio import Lock
from collections.abc import Callable
from time import monotonic

from attrs import define, field

from .rollout import Rollout, RolloutState

LOOK_AGAIN_SECONDS = 0.4
"""So that a change is seen well within a second."""

logger = logging.getLogger("orderflow.rollout")


@define(eq=False)
class CachedRollout:
    """Asks the storage at most every ``every`` seconds, however often it is asked: one small query a process.

    A change is seen after ``every`` seconds and the time of that query, and the log tells of it. Raises
    StorageUnavailable.
    """

    rollout: Rollout
    buckets: Callable[[], int]
    every: float = LOOK_AGAIN_SECONDS
    clock: Callable[[], float] = monotonic
    _known: RolloutState = field(factory=RolloutState, init=False)
    _until: float | None = field(default=None, init=False)
    _turn: Lock = field(factory=Lock, init=False)

    async def __call__(self) -> RolloutState:
        if self._is_old():
            async with self._turn:
                if self._is_old():  # and nobody has asked while this one waited for its turn
                    requested_at = self.clock()
                    self._learn(await self.rollout.current_rollout())
                    self._until = requested_at + self.every
        return self._known

    def _learn(self, current_rollout: RolloutState) -> None:
        if current_rollout.percent != self._known.percent:
            logger.info(
                "publishing %d %% of the orders", current_rollout.percent, extra={"percent": current_rollout.percent}
            )
        self._known = current_rollout

    def _is_old(self) -> bool:
        return self._until is None or self.clock() >= self._until

    async def published_buckets(self) -> int:
        """How many buckets, from 0 on, are published now."""
        return (await self()).published_buckets(self.buckets())

    async def pauses(self, consumer: str) -> bool:
        """Whether ``consumer`` stands still now."""
        return consumer in (await self()).paused
