"""Handling a consumer's next records: each once, in order, and no order is held up by another one."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import inf
from time import perf_counter
from typing import Generic

from attrs import define, evolve, field, frozen

from ...domain.errors import LogGap, StaleCursor, Unavailable, UndecodableEvent
from ..clock import Clock
from ..event_log.ports import Cursors, Decode
from ..event_log.records import Delivery, LogRecord, Origin, UnrecognizedRecord, event_fields
from ..log_lines import log_each
from ..noop import noop
from ..recovery.restore_guard import RestoreGuard
from ..redaction import code_of
from .consumer import BatchResult, Consumer, ConsumerStore, HandlingObserver, OutsideConsumer, T
from .dead_letter import DeadLetter, SetAsideRecord
from .transient_errors import is_transient

ATTEMPTS = 3
DUE_AT_ONCE = datetime.min.replace(tzinfo=UTC)
"""Independent of every clock."""
logger = logging.getLogger("orderflow.consumer")


@frozen
class _Sorted:
    """A batch compared with the cursors: the next events, duplicates, unrecognized records and gaps."""

    next: tuple[LogRecord, ...]
    duplicates: int
    unrecognized: tuple[UnrecognizedRecord, ...]
    gaps: tuple[LogGap, ...]


@define(eq=False)
class HandleBatch(Generic[T]):
    """Commits the effects and cursors of a batch in one transaction.

    A record at or before the cursor is a duplicate. A bucket with a gap waits: nothing after the gap is handled.
    If another handler has moved a cursor in the meantime, nothing is changed or handled. If a batch fails, its halves
    are tried separately, down to the one event that fails. It is retried at once; but after a transient error
    (``is_transient``) it is left, with what follows it in its bucket, for a later call. After ``attempts`` attempts the
    event parks its order: it and the order's later events become dead letters, in order, with their ``origin``, and all
    other orders continue. If dead letters are ``copied`` to a topic, that is scheduled in the same transaction.
    Every event that is handled, fails or is parked gets a log line; ``observer`` is called for the first two.
    With ``restore_guard``, for records from a topic, those that a later epoch superseded are skipped, and events that
    the log does not have are refused: LogBehindTopic is raised, and nothing of the batch is handled.
    Raises Unavailable if a backend is unavailable: nothing is lost, and the same records can be handled again.
    """

    consumer: Consumer[T]
    store: ConsumerStore[T]
    cursors: Cursors
    decode: Decode
    clock: Clock
    attempts: int = ATTEMPTS
    observer: HandlingObserver = noop
    failed: Callable[[DeadLetter, Exception], None] = noop
    origin: Callable[[LogRecord], Origin | None] = lambda _: None
    restore_guard: RestoreGuard | None = None
    copied: bool = False
    _positions: dict[int, int] | None = field(default=None, init=False)
    _tried: dict[tuple[int, int], DeadLetter] = field(factory=dict, init=False)
    """Events that are to be retried, by address, and how they failed so far."""
    _waiting: dict[int, int] = field(factory=dict, init=False)
    """The buckets of the current batch that wait for such an event, and its position."""

    async def __call__(self, records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        known, self._positions = self._positions, None  # if this call fails, the cursors are unknown
        positions = await self._read_cursors() if known is None else known
        counting = records if self.restore_guard is None else await self.restore_guard.effective(records)
        superseded, records = len(records) - len(counting), counting
        batch = _sort(records, positions, self.consumer.name)
        if known is not None and (batch.gaps or batch.duplicates):
            # Another handler may have owned these buckets for a while.
            positions = await self._read_cursors()
            batch = _sort(records, positions, self.consumer.name)
        if batch.next and self.restore_guard is not None and not await self.restore_guard.verify(batch.next):
            return BatchResult()
        handled = BatchResult(
            duplicates=batch.duplicates, foreign=len(batch.unrecognized), superseded=superseded, gaps=batch.gaps
        )
        try:
            if batch.unrecognized:
                await self._set_aside(batch.unrecognized)
            parked = await self._handle_all(batch.next) if batch.next else 0
        except StaleCursor:
            return BatchResult()
        done, left = self._split(batch.next)
        positions.update({record.bucket: record.position for record in done})
        self._positions = positions
        return evolve(handled, events=len(done) - parked, parked=parked, left=left)

    async def _read_cursors(self) -> dict[int, int]:
        return dict(await self.cursors.positions(self.consumer.name))

    async def _handle_all(self, news: Sequence[LogRecord]) -> int:
        """Handle ``news``. Events that failed before come first, alone: each of them is the first of its bucket."""
        self._waiting = {}
        if not self._tried:
            return await self._handle(news)
        self._tried = {address: self._tried[address] for it in news if (address := it.address) in self._tried}
        again = dict(self._tried)
        parked = sum([await self._retry(failed.record, failed) for failed in again.values()])
        return parked + await self._handle([it for it in news if it.address not in again])

    async def _handle(self, records: Sequence[LogRecord]) -> int:
        """Move the cursors past those of ``records`` that need not wait; return how many became dead letters."""
        if self._waiting:
            records = [it for it in records if it.bucket not in self._waiting]
        if len(records) < 2:
            return await self._retry(records[0]) if records else 0
        try:
            return await self._commit(records)
        except (Unavailable, StaleCursor):
            raise
        except Exception as failure:  # noqa: BLE001 - decided upon when the event is tried alone
            logger.debug("batch failed", extra={"consumer": self.consumer.name, "error": failure})
        half = len(records) // 2
        return await self._handle(records[:half]) + await self._handle(records[half:])

    async def _retry(self, record: LogRecord, dead_letter: DeadLetter | None = None) -> int:
        """Try one event until it is handled, is left because of a transient error, or has parked its order.

        ``dead_letter`` has its earlier attempts. Undecodable bytes are not retried.
        """
        while True:
            began = perf_counter()
            try:
                parked = await self._commit([record], attempt=dead_letter.attempts + 1 if dead_letter else 1)
            except (Unavailable, StaleCursor):
                raise
            except Exception as error:  # noqa: BLE001 - as above
                failure = error
            else:
                self._tried.pop(record.address, None)
                return parked
            dead_letter = (dead_letter or self._dead_letter(record)).failed_again(failure, self.clock())
            self._failed(dead_letter, failure, perf_counter() - began)
            if dead_letter.attempts >= self.attempts or isinstance(failure, UndecodableEvent):
                return await self._park(dead_letter)
            if is_transient(failure):
                self._tried[record.address] = dead_letter
                self._waiting[record.bucket] = record.position
                return 0

    def _split(self, news: Sequence[LogRecord]) -> tuple[Sequence[LogRecord], tuple[LogRecord, ...]]:
        """Return the records that are done, and those that wait."""
        if not self._waiting:
            return news, ()
        left = tuple(it for it in news if it.position >= self._waiting.get(it.bucket, inf))
        return [it for it in news if it.position < self._waiting.get(it.bucket, inf)], left

    async def _park(self, dead_letter: DeadLetter) -> int:
        async with self.store(self.consumer.name) as work:
            await work.advance(_moves([dead_letter.record]))
            await self._keep(work, [dead_letter])
        self._tried.pop(dead_letter.record.address, None)
        fields = {"consumer": self.consumer.name, "attempt": dead_letter.attempts, "error": {"code": dead_letter.error}}
        logger.error("order parked", extra={**event_fields(dead_letter.record), **fields})
        return 1

    def _failed(self, dead_letter: DeadLetter, failure: Exception, seconds: float) -> None:
        fields = {"consumer": self.consumer.name, "attempt": dead_letter.attempts, "error": failure}
        logger.warning("event failed", extra={**event_fields(dead_letter.record), **fields}, exc_info=failure)
        self.observer([dead_letter.record], seconds=seconds, failure=code_of(failure))
        self.failed(dead_letter, failure)

    def _dead_letter(self, record: LogRecord, message: str = "") -> DeadLetter:
        now = self.clock()
        return DeadLetter(
            consumer=self.consumer.name,
            record=record,
            message=message,
            first_failed_at=now,
            last_failed_at=now,
            origin=self.origin(record),
        )

    async def _commit(self, records: Sequence[LogRecord], attempt: int = 1) -> int:
        """Handle ``records`` in one transaction. Return how many became dead letters, as their orders are parked."""
        began = perf_counter()
        opened = [Delivery(record, self.decode(record)) for record in records]
        skipped = await self._perform(self.consumer, opened) if isinstance(self.consumer, OutsideConsumer) else []
        async with self.store(self.consumer.name) as work:
            # The cursors come first: of two handlers with the same batch, the later one waits here.
            await work.advance(_moves(records))
            parked = await work.dead_letters.parked({record.order_id for record in records})
            free = [delivery for delivery in opened if delivery.record.order_id not in parked]
            if skipped and (missed := [delivery.record for delivery in free if delivery in skipped]):
                # The order was unparked in the meantime: roll back, so that the same records are handled again.
                raise StaleCursor(self.consumer.name, missed[0].bucket, missed[0].position - 1)
            result = await self.consumer.handle(free, work) if free else None
            if len(free) < len(records):
                await self._queue_behind(work, [record for record in records if record.order_id in parked])
        if free:
            self._handled([delivery.record for delivery in free], perf_counter() - began, attempt, result)
        return len(records) - len(free)

    def _handled(self, records: Sequence[LogRecord], seconds: float, attempt: int, result: object) -> None:
        fields = {"consumer": self.consumer.name, "attempt": attempt, "duration": round(seconds, 6)}
        log_each(logger, logging.INFO, "handled", ({**event_fields(record), **fields} for record in records))
        self.observer(records, seconds=seconds, result=result)

    async def _perform(self, consumer: OutsideConsumer, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Do the work outside the transaction. Return the deliveries that were skipped, because of parked orders."""
        async with self.store(self.consumer.name) as work:
            parked = await work.dead_letters.parked({delivery.record.order_id for delivery in deliveries})
        free = [delivery for delivery in deliveries if delivery.record.order_id not in parked]
        if free:
            await consumer.perform(free)
        return [delivery for delivery in deliveries if delivery.record.order_id in parked]

    async def _queue_behind(self, work: T, records: Sequence[LogRecord]) -> None:
        fields = {"consumer": self.consumer.name}
        log_each(
            logger, logging.INFO, "waits behind a parked event", ({**event_fields(it), **fields} for it in records)
        )
        await self._keep(work, [self._dead_letter(it, "waits behind an earlier event of its order") for it in records])

    async def _keep(self, work: T, dead_letters: Sequence[DeadLetter]) -> None:
        await work.dead_letters.keep(dead_letters)
        if self.copied:
            await work.dead_letters.copy_later(dead_letters, DUE_AT_ONCE)

    async def _set_aside(self, records: Sequence[UnrecognizedRecord]) -> None:
        now = self.clock()
        async with self.store(self.consumer.name) as work:
            await work.dead_letters.set_aside(
                [SetAsideRecord(consumer=self.consumer.name, record=record, found_at=now) for record in records]
            )


def _sort(records: Sequence[LogRecord | UnrecognizedRecord], positions: dict[int, int], reader: str) -> _Sorted:
    reached: dict[int, int] = {}
    gaps: dict[int, LogGap] = {}
    news: list[LogRecord] = []
    foreign: list[UnrecognizedRecord] = []
    duplicates = 0
    for record in records:
        if isinstance(record, UnrecognizedRecord):
            foreign.append(record)
            continue
        bucket = record.bucket
        at = reached.get(bucket, positions.get(bucket, 0))
        if record.position <= at:
            duplicates += 1
        elif record.position == at + 1:
            reached[bucket] = record.position
            news.append(record)
        else:
            gaps.setdefault(bucket, LogGap(reader, bucket, at, record.position))
    return _Sorted(tuple(news), duplicates, tuple(foreign), tuple(gaps.values()))


def _moves(records: Sequence[LogRecord]) -> dict[int, tuple[int, int]]:
    """Each bucket's cursor, from before its first record to its last."""
    moves: dict[int, tuple[int, int]] = {}
    for record in records:
        before, _ = moves.get(record.bucket, (record.position - 1, 0))
        moves[record.bucket] = (before, record.position)
    return moves
