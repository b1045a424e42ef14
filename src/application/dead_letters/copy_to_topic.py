"""Parked events are copied to a topic of their own, for whoever watches it; nothing waits for that."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from attrs import define, field, frozen

from ...domain.errors import Unavailable
from ..backoff import Backoff, pause
from ..clock import Clock
from ..consuming.dead_letter import DeadLetter
from ..noop import noop
from .ports import DeadLetters

COPIED_AT_ONCE = 200
LEASE = timedelta(seconds=30)
"""How long claimed copies are one process's own. When it dies, they are made again after this."""
REFRESH_SECONDS = 1.0

logger = logging.getLogger("orderflow.consumer")


class DeadLetterTopic(Protocol):
    """A topic that has each parked event as it was, with its origin, its consumer and the error beside it."""

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        """All of these stand there. Raises StreamUnavailable: some of them may, too."""
        ...

    async def close(self) -> None: ...


@frozen
class CopyDeadLetters:
    """Every letter stands on the topic at least once, unless it was redriven or dropped before Kafka took it."""

    letters: DeadLetters
    topic: DeadLetterTopic
    clock: Clock

    async def __call__(self) -> int:
        """How many were copied now. Raises StorageUnavailable, StreamUnavailable: they are copied later."""
        now = self.clock()
        letters = await self.letters.claim_copies(now=now, until=now + LEASE, limit=COPIED_AT_ONCE)
        if letters:
            await self.topic.put(letters)
            await self.letters.copied(letters)
        return len(letters)


@define(eq=False, kw_only=True)
class RunCopying:
    """Copies what was parked within about a second, until it is asked to stop; ``failed`` is told of each failure."""

    copy: Callable[[], Awaitable[int]]
    topic: DeadLetterTopic
    failed: Callable[[Exception], None] = noop
    seconds: float = REFRESH_SECONDS
    backoff: Backoff = field(factory=lambda: Backoff(first=1.0, longest=60.0))

    async def __call__(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    copied = await self.copy()
                except Unavailable as error:
                    self.failed(error)
                    seconds = self.backoff.pause()
                    said = {"error": error.code, "seconds": seconds}
                    logger.warning("copies of dead letters wait: %s", error, extra=said)
                    await pause(stop, seconds)
                else:
                    self.backoff.reset()
                    if not copied:
                        await pause(stop, self.seconds)
        finally:
            await self.topic.close()
