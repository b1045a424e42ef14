"""A process tells the others that it lives, whatever happens to the database meanwhile."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from attrs import define, field

from ..backoff import pause
from ..clock import Clock
from ..redaction import code_of, error_text
from .processes import BEAT_SECONDS, FORGOTTEN_AFTER, Process, ProcessRegistry

TIDYING = 12
"""After so many beats those who went silent long ago are forgotten."""

_LOOK_SECONDS = 1.0

logger = logging.getLogger("orderflow.registry")


@define(eq=False, kw_only=True)
class Heartbeat:
    """Beats every ``every`` seconds, and within a second when something has changed in what it says of itself.

    A beat that gets no answer within ``patience`` seconds is given up. A failure is counted, logged when the failing
    begins and when it ends, and ends nothing: the next beat comes at its time. ``beats`` and ``failures`` count.
    """

    registry: ProcessRegistry
    describe: Callable[[], Process]
    clock: Clock
    every: float = BEAT_SECONDS
    patience: float = 2.0
    beats: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    _failing: bool = field(default=False, init=False)
    _said: Process | None = field(default=None, init=False)
    _at: float = field(default=0.0, init=False)

    async def __call__(self, stop: asyncio.Event) -> None:
        """Beat at once, and then again and again until ``stop`` is set."""
        while not stop.is_set():
            if self.describe() != self._said or monotonic() - self._at >= self.every:
                await self.heartbeat()
            await pause(stop, min(self.every, _LOOK_SECONDS))

    async def heartbeat(self) -> bool:
        """Whether it was noted."""
        self._said, self._at = self.describe(), monotonic()
        try:
            async with asyncio.timeout(self.patience):
                await self.registry.heartbeat(self._said, self.clock())
                if self.beats % TIDYING == 0:
                    await self.registry.forget(FORGOTTEN_AFTER)
        except Exception as error:  # noqa: BLE001 - no registry is worth the process that it tells of
            self._failed(error)
            return False
        self.beats += 1
        if self._failing:
            self._failing = False
            logger.info("the registry answers again", extra={"failures": self.failures})
        return True

    async def leave(self) -> None:
        """The process ends in order; without an answer it is shown as gone in a while."""
        try:
            async with asyncio.timeout(self.patience):
                await self.registry.leave(self.describe().id)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if not self._failing:
            self._failing = True
            detail = error_text(error) or f"no answer within {self.patience:g} s"
            logger.warning("this process could not be noted: %s", detail, extra={"error": code_of(error)})
