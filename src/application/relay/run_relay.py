"""The relay's loop: publishes what is pending until it is stopped."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

from attrs import define, field

from ...domain.errors import LogBehindTopic, Unavailable
from ..backoff import Backoff, pause, unless_stopped
from ..event_log.ports import Wakeup
from ..noop import noop
from .publish_pending import PublishPending

logger = logging.getLogger("orderflow.relay")


@define(eq=False)
class RunRelay:
    """Publishes batch after batch. If nothing is pending, it waits to be woken, at most ``poll_interval`` seconds.

    It never waits for company: what is committed during a transaction makes the next one. If a backend does not answer,
    it retries with back-off, counts ``failures``, calls ``failed``, and skips nothing. The cursors are stored in the
    database every ``store_interval`` seconds and at the end. ``published`` counts events. Raises LogBehindTopic and all
    other errors that a retry does not solve; also then it leaves the group.
    """

    publish_pending: PublishPending
    wakeup: Wakeup
    poll_interval: float = 0.25
    store_interval: float = 1.0
    backoff: Backoff = field(factory=Backoff)
    failed: Callable[[Exception], None] = noop
    published: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    _stored_at: float = field(default=0.0, init=False)

    async def __call__(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set. The current batch is finished first."""
        try:
            while not stop.is_set():
                try:
                    published = await self._publish()
                    await self._store_cursors()
                except Unavailable as error:
                    await self._back_off(error, stop)
                    continue
                self.backoff.reset()
                if not published:
                    await unless_stopped(stop, self.wakeup.wait(self.poll_interval))
        except LogBehindTopic as error:
            self.failures += 1
            self.failed(error)
            logger.critical("relay refuses to publish: %s", error, extra=error.context())
            raise
        finally:
            await self._finish()

    async def _publish(self) -> int:
        published = await self.publish_pending()
        self.published += published
        return published

    async def _store_cursors(self) -> None:
        if monotonic() - self._stored_at >= self.store_interval:
            await self.publish_pending.store_cursors()
            self._stored_at = monotonic()

    async def _back_off(self, error: Unavailable, stop: asyncio.Event) -> None:
        self.failures += 1
        self.failed(error)
        seconds = self.backoff.pause()
        logger.warning(
            "relay waits: %s", error, extra={"error": error.code, "failures": self.failures, "seconds": seconds}
        )
        await pause(stop, seconds)

    async def _finish(self) -> None:
        try:
            await self.publish_pending.store_cursors()
        except Unavailable as error:
            self.failures += 1
            logger.warning("relay stops without storing its cursors: %s", error, extra={"error": error.code})
        finally:
            await self.publish_pending.topic.close()
