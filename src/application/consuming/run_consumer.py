"""A consumer at work: reads, handles and settles until it is asked to stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from attrs import define, field

from ...domain.errors import LogBehindTopic, LogGap, Unavailable
from ..backoff import Backoff, Linger, pause
from ..event_log.records import LogRecord, UnrecognizedRecord
from ..noop import noop
from .consumer import BatchResult, SettlingConsumer
from .ports import EventSource

BATCH = 500
STAND_BY_SECONDS = 0.25
"""How often a paused consumer looks whether it may go on, and keeps its place in the meantime."""

FROM_LOG, FROM_TOPIC = Linger(share=0.05, longest=1.0), Linger(share=0.1, longest=0.5)
"""How long news may gather, by where it is read: a transaction costs much the same for one event as for many."""

logger = logging.getLogger("orderflow.consumer")


def _patience() -> Backoff:
    return Backoff(first=1.0, longest=60.0)


def _a_moment() -> Backoff:
    """Short, for the next batch waits for it."""
    return Backoff(first=0.1, longest=2.0)


def _listening() -> Backoff:
    return Backoff(first=2.0, longest=60.0)


async def _never() -> bool:
    return False


async def _nothing() -> LogGap | None:
    return None


@define(eq=False, kw_only=True)
class RunConsumer:
    """Reads a batch, handles it, confirms it to the source, does the work outside the transaction; and repeats.

    If a backend is unavailable, the same batch is retried with back-off. A bucket with missing events waits while the
    others continue; unhandled records are read again after a second, and less often while events stay missing. At the
    start, and while no records arrive, it looks for ``missed_events``, and reads again if they do not arrive by
    themselves. An event that failed with a transient error is retried after the rest of its batch, after ``a_moment``.
    After a batch that was not full it lingers. While it is ``paused`` it handles nothing and does no outside work.

    ``handled`` counts events, ``gaps`` the times a bucket was found with missing events, ``failures`` the times a
    backend was unavailable; ``failed`` is called with the error of either. Raises LogBehindTopic if the database was
    restored to an earlier point: then nothing more is handled.
    """

    source: EventSource
    handle_batch: Callable[[Sequence[LogRecord | UnrecognizedRecord]], Awaitable[BatchResult]]
    consumer: SettlingConsumer
    paused: Callable[[], Awaitable[bool]] = _never
    batch: int = BATCH
    gathering: Linger = FROM_TOPIC
    backoff: Backoff = field(factory=Backoff)
    patience: Backoff = field(factory=_patience)
    a_moment: Backoff = field(factory=_a_moment)
    missed_events: Callable[[], Awaitable[LogGap | None]] = _nothing
    listening: Backoff = field(factory=_listening)
    failed: Callable[[Exception], None] = noop
    handled: int = field(default=0, init=False)
    gaps: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    _in_hand: Sequence[LogRecord | UnrecognizedRecord] | None = field(default=None, init=False)
    _not_full_since: float | None = field(default=None, init=False)
    _read_again_at: float | None = field(default=None, init=False)
    _stands_by: bool = field(default=False, init=False)
    _listen_at: float = field(default=0.0, init=False)
    _unheard: LogGap | None = field(default=None, init=False)

    async def __call__(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set; the batch in hand is finished first, unless a backend does not answer.

        What waits for another try is left to whoever reads on after us.
        """
        try:
            while not stop.is_set():
                try:
                    if await self._is_paused():
                        await self.source.pause()
                        await pause(stop, STAND_BY_SECONDS)
                    elif await self._step(stop):
                        self.backoff.reset()
                except Unavailable as error:
                    await self._back_off(error, stop)
        except LogBehindTopic as error:
            self.failures += 1
            self.failed(error)
            name = self.consumer.name
            logger.critical("%s refuses to go on: %s", name, error, extra={"consumer": name, **error.context()})
            raise
        finally:
            await self.source.close()

    async def _step(self, stop: asyncio.Event) -> bool:
        """Whether a batch was handled. A source that is away may answer with nothing now and then."""
        if not self._listen_at:
            await self._listen()
        if self._in_hand is None:
            self._in_hand = await self.source.read(self.batch)
            self._not_full_since = monotonic() if 0 < len(self._in_hand) < self.batch else None
            if self._in_hand and await self.paused():
                return False  # it may have waited long for these
        if self._in_hand:
            handled = await self.handle_batch(self._in_hand)
            if handled == BatchResult():
                return False  # another handler has moved a cursor meanwhile, so the same again
            self._account(handled)
            if handled.left:
                self._in_hand = handled.left
                await pause(stop, self.a_moment.pause())
                return True
            self.a_moment.reset()
        elif self._read_again_at is None:
            self.patience.reset()
            if monotonic() >= self._listen_at:
                await self._listen()
        worked = bool(self._in_hand)
        self._in_hand = None
        if self._read_again_at is None:
            await self.source.done()
        elif monotonic() >= self._read_again_at:
            await self.source.rewind()
            self._read_again_at = None
        await self.consumer.settle()
        if self._not_full_since is not None:
            await pause(stop, self.gathering.after(monotonic() - self._not_full_since))
        return worked

    async def _listen(self) -> None:
        """What was unheard the last time already, and still is, does not come by itself: read again for it."""
        before, self._unheard = self._unheard, await self.missed_events()
        now = self._unheard
        if now is None or before is None or (before.bucket, before.cursor) != (now.bucket, now.cursor):
            self.listening.reset()
        else:
            self._missed(now)
            await self.source.rewind()
        self._listen_at = monotonic() + self.listening.pause()

    def _missed(self, gap: LogGap) -> None:
        self.gaps += 1
        self.failed(gap)
        logger.error("%s; it does not come, so all is read again", gap, extra=gap.context())

    async def _is_paused(self) -> bool:
        stands_by = await self.paused()
        if stands_by is not self._stands_by:
            self._stands_by = stands_by
            said = "stands still" if stands_by else "goes on"
            logger.info("%s %s", self.consumer.name, said, extra={"consumer": self.consumer.name, "paused": stands_by})
        return stands_by

    def _account(self, handled: BatchResult) -> None:
        self.handled += handled.events
        self.gaps += len(handled.gaps)
        if handled.gaps and self._read_again_at is None:
            seconds = self.patience.pause()
            self._read_again_at = monotonic() + seconds
            gap = handled.gaps[0]
            self.failed(gap)
            logger.error(
                "%s; %d more buckets wait; reading again in %.1f s",
                gap,
                len(handled.gaps) - 1,
                seconds,
                extra={**gap.context(), "buckets": len(handled.gaps)},
            )

    async def _back_off(self, error: Unavailable, stop: asyncio.Event) -> None:
        self.failures += 1
        self.failed(error)
        seconds = self.backoff.pause()
        logger.warning(
            "%s waits: %s",
            self.consumer.name,
            error,
            extra={"consumer": self.consumer.name, "error": error.code, "failures": self.failures, "seconds": seconds},
        )
        await pause(stop, seconds)
