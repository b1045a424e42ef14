"""Copies dead letters to a topic of their own, for other tools to read. Nothing waits for the copies."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from attrs import define, field, frozen

from ...domain.errors import Unavailable
from ..backoff import Backoff, pause
from ..noop import noop
from .ports import DeadLetters, DeadLetterTopic

COPIED_AT_ONCE = 200
LEASE = timedelta(seconds=30)
"""The time for which a process owns the copies that it claimed. If it crashes, they are made again after this time."""
POLL_SECONDS = 1.0

logger = logging.getLogger("orderflow.consumer")


@frozen
class CopyDeadLetters:
    """Copies every dead letter to the topic at least once, unless it is redriven or dropped before that."""

    dead_letters: DeadLetters
    topic: DeadLetterTopic
    now: Callable[[], Awaitable[datetime]]

    async def __call__(self) -> int:
        """Return how many were copied. Raises StorageUnavailable, StreamUnavailable; they are then copied later."""
        now = await self.now()
        dead_letters = await self.dead_letters.claim_copies(now=now, until=now + LEASE, limit=COPIED_AT_ONCE)
        if dead_letters:
            await self.topic.put(dead_letters)
            await self.dead_letters.copied(dead_letters)
        return len(dead_letters)


@define(eq=False, kw_only=True)
class RunCopying:
    """Copies new dead letters within about a second, until it is stopped. ``failed`` is called with each failure."""

    copy: Callable[[], Awaitable[int]]
    topic: DeadLetterTopic
    failed: Callable[[Exception], None] = noop
    seconds: float = POLL_SECONDS
    backoff: Backoff = field(factory=lambda: Backoff(first=1.0, longest=60.0))

    async def __call__(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    copied = await self.copy()
                except Unavailable as error:
                    self.failed(error)
                    seconds = self.backoff.pause()
                    fields = {"error": error.code, "seconds": seconds}
                    logger.warning("copies of dead letters wait: %s", error, extra=fields)
                    await pause(stop, seconds)
                else:
                    self.backoff.reset()
                    if not copied:
                        await pause(stop, self.seconds)
        finally:
            await self.topic.close()
