"""The loop of a consumer: reads, handles and settles until it is stopped."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from attrs import define, field

from ...domain.errors import LogBehindTopic, LogGap, Unavailable
from ..backoff import Backoff, Linger, pause
from ..event_log.records import LogRecord, UnrecognizedRecord
from ..noop import noop
from .batch_size import BatchSize
from .consumer import BatchResult, SettlingConsumer
from .ports import EventSource

BATCH = 500
PAUSED_SECONDS = 0.25
"""The interval at which a paused consumer checks whether it may continue, and stays in its group."""

SETTLE_SECONDS = 1.0
"""The interval at which an idle consumer looks for outside work, such as a notification that is due again."""

FROM_LOG = Linger(share=0.05, longest=1.0)
"""The linger of a consumer that shares a process and a SQLite file with the commands."""

logger = logging.getLogger("orderflow.consumer")


async def never() -> bool:
    return False


async def _nothing() -> LogGap | None:
    return None


async def begin_anywhere(_: str) -> None:
    """Do nothing: a new consumer begins with the first event of the log."""


@define(eq=False, kw_only=True)
class RunConsumer:
    """Reads a batch, handles it, confirms it to the source, does the work outside the transaction; and repeats.

    If a backend is unavailable, the same batch is retried with back-off. A bucket with missing events waits while the
    others continue; unhandled records are read again after a second, and less often while events stay missing. At the
    start, and while no records arrive, it looks for ``missed_events``, and reads again if they do not arrive by
    themselves. An event that failed with a transient error is retried after the rest of its batch, with
    ``retry_backoff``.
    The outside work is looked for after each batch, and once in SETTLE_SECONDS while no records arrive.
    While it is ``idle`` it has nothing to do, and is as if paused.
    After a batch that was not full it lingers, if it has a ``linger``; without, what arrives during a batch makes the
    next one. While it is ``paused`` it handles nothing and does no outside work. A batch has at most ``batch`` events;
    with a ``size``, as many as it says. ``begin`` is called once before the first batch, with the consumer's name.

    ``handled`` counts events, ``gaps`` the times a bucket was found with missing events, ``failures`` the times a
    backend was unavailable; ``failed`` is called with the error of either. Raises LogBehindTopic if the database was
    restored to an earlier point: then nothing more is handled.
    """

    source: EventSource
    handle_batch: Callable[[Sequence[LogRecord | UnrecognizedRecord]], Awaitable[BatchResult]]
    consumer: SettlingConsumer
    paused: Callable[[], Awaitable[bool]] = never
    idle: Callable[[], Awaitable[bool]] = never
    batch: int = BATCH
    size: BatchSize | None = None
    begin: Callable[[str], Awaitable[None]] = begin_anywhere
    linger: Linger | None = None
    backoff: Backoff = field(factory=Backoff)
    gap_backoff: Backoff = field(factory=lambda: Backoff(first=1.0, longest=60.0))
    retry_backoff: Backoff = field(factory=lambda: Backoff(first=0.1, longest=2.0))
    """Short, because the next batch waits for it."""
    missed_events: Callable[[], Awaitable[LogGap | None]] = _nothing
    check_backoff: Backoff = field(factory=lambda: Backoff(first=2.0, longest=60.0))
    failed: Callable[[Exception], None] = noop
    handled: int = field(default=0, init=False)
    gaps: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)
    _current: Sequence[LogRecord | UnrecognizedRecord] | None = field(default=None, init=False)
    _not_full_since: float | None = field(default=None, init=False)
    _read_again_at: float | None = field(default=None, init=False)
    _was_paused: bool = field(default=False, init=False)
    _check_at: float = field(default=0.0, init=False)
    _settle_at: float = field(default=0.0, init=False)
    _missing: LogGap | None = field(default=None, init=False)
    _begun: bool = field(default=False, init=False)

    async def __call__(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set; the current batch is finished first, unless a backend is unavailable.

        Events that wait for a retry are left to the next process.
        """
        try:
            while not stop.is_set():
                try:
                    if await self._is_paused() or await self.idle():
                        await self.source.pause()
                        await pause(stop, PAUSED_SECONDS)
                    elif await self._step(stop):
                        self.backoff.reset()
                except Unavailable as error:
                    await self._back_off(error, stop)
        except LogBehindTopic as error:
            self.failures += 1
            self.failed(error)
            name = self.consumer.name
            logger.critical("%s stops: %s", name, error, extra={"consumer": name, **error.context()})
            raise
        finally:
            await self.source.close()

    async def _step(self, stop: asyncio.Event) -> bool:
        """Return whether a batch was handled. A source may return nothing while its server is unavailable."""
        if not self._begun:
            await self.begin(self.consumer.name)
            self._begun = True
        if not self._check_at:
            await self._check()
        if self._current is None:
            limit = self.batch if self.size is None else self.size.now
            self._current = await self.source.read(limit)
            self._not_full_since = monotonic() if 0 < len(self._current) < limit else None
            if self._current and await self.paused():
                return False  # reading may have taken long
        if self._current:
            began = monotonic()
            handled = await self.handle_batch(self._current)
            if self.size is not None:
                self.size.handled(len(self._current), monotonic() - began)
            if handled == BatchResult():
                return False  # another handler has moved a cursor in the meantime, so the same records again
            self._account(handled)
            if handled.left:
                self._current = handled.left
                await pause(stop, self.retry_backoff.pause())
                return True
            self.retry_backoff.reset()
        elif self._read_again_at is None:
            self.gap_backoff.reset()
            if monotonic() >= self._check_at:
                await self._check()
        worked = bool(self._current)
        self._current = None
        if self._read_again_at is None:
            await self.source.done()
        elif monotonic() >= self._read_again_at:
            await self.source.rewind()
            self._read_again_at = None
        if worked or monotonic() >= self._settle_at:
            done = await self.consumer.settle()
            self._settle_at = 0.0 if done else monotonic() + SETTLE_SECONDS
        if self.linger is not None and self._not_full_since is not None:
            await pause(stop, self.linger.after(monotonic() - self._not_full_since))
        return worked

    async def _check(self) -> None:
        """Look for missed events; if the first is the same as the last time, read again for it."""
        before, self._missing = self._missing, await self.missed_events()
        now = self._missing
        if now is None or before is None or (before.bucket, before.cursor) != (now.bucket, now.cursor):
            self.check_backoff.reset()
        else:
            self._missed(now)
            await self.source.rewind()
        self._check_at = monotonic() + self.check_backoff.pause()

    def _missed(self, gap: LogGap) -> None:
        self.gaps += 1
        self.failed(gap)
        logger.error("%s; it does not arrive, so everything is read again", gap, extra=gap.context())

    async def _is_paused(self) -> bool:
        is_paused = await self.paused()
        if is_paused is not self._was_paused:
            self._was_paused = is_paused
            state = "paused" if is_paused else "resumed"
            logger.info("%s %s", self.consumer.name, state, extra={"consumer": self.consumer.name, "paused": is_paused})
        return is_paused

    def _account(self, handled: BatchResult) -> None:
        self.handled += handled.events
        self.gaps += len(handled.gaps)
        if handled.gaps and self._read_again_at is None:
            seconds = self.gap_backoff.pause()
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
