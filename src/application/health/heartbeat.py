"""The heartbeat of a process: keeps its registration up to date, even if the database is down at times."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from attrs import define, field

from ..backoff import pause
from ..clock import Clock
from ..redaction import code_of, error_text
from .processes import BEAT_SECONDS, PRUNE_AFTER, Process, ProcessRegistry

PRUNE_EVERY = 12
"""Heartbeats between two prunings of registrations that are long silent."""

_CHECK_SECONDS = 1.0
"""The interval at which the process's description is compared with the last one."""

logger = logging.getLogger("orderflow.registry")


@define(eq=False, kw_only=True)
class Heartbeat:
    """Sends a heartbeat every ``every`` seconds, and within a second of a change in the process's description.

    A heartbeat without an answer within ``patience`` seconds is abandoned. Failures are counted, and logged when they
    start and when they end; the next heartbeat is sent as usual. ``beats`` and ``failures`` count.
    """

    registry: ProcessRegistry
    describe: Callable[[], Process]
    clock: Clock
    every: float = BEAT_SECONDS
    patience: float = 2.0
    beats: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    _failing: bool = field(default=False, init=False)
    _last: Process | None = field(default=None, init=False)
    _at: float = field(default=0.0, init=False)

    async def __call__(self, stop: asyncio.Event) -> None:
        """Send heartbeats until ``stop`` is set, the first one immediately."""
        while not stop.is_set():
            if self.describe() != self._last or monotonic() - self._at >= self.every:
                await self.heartbeat()
            await pause(stop, min(self.every, _CHECK_SECONDS))

    async def heartbeat(self) -> bool:
        """Send one, and return whether it was stored."""
        self._last, self._at = self.describe(), monotonic()
        try:
            async with asyncio.timeout(self.patience):
                await self.registry.heartbeat(self._last, self.clock())
                if self.beats % PRUNE_EVERY == 0:
                    await self.registry.prune(PRUNE_AFTER)
        except Exception as error:  # noqa: BLE001 - a failing registry must not end the process
            self._failed(error)
            return False
        self.beats += 1
        if self._failing:
            self._failing = False
            logger.info("heartbeats succeed again", extra={"failures": self.failures})
        return True

    async def deregister(self) -> None:
        """Deregister the process at its shutdown. If that fails, it is shown as gone after a while."""
        try:
            async with asyncio.timeout(self.patience):
                await self.registry.deregister(self.describe().id)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if not self._failing:
            self._failing = True
            detail = error_text(error) or f"no answer within {self.patience:g} s"
            logger.warning("heartbeat failed: %s", detail, extra={"error": code_of(error)})
