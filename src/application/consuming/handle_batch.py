"""A consumer's next records: each handled once, in order, and none ever holds up another order."""

import logging
from collections.abc import Callable, Sequence
from math import inf
from time import perf_counter

from attrs import define, evolve, field, frozen

from ...domain.errors import LogGap, StaleCursor, Unavailable, UndecodableEvent
from ..clock import Clock
from ..event_log.ports import Cursors, Decode
from ..event_log.records import Delivery, LogRecord, Origin, UnrecognizedRecord, about
from ..log_lines import log_each
from ..recovery.restore_guard import RestoreGuard
from ..redaction import code_of
from .consumer import BatchResult, Consumer, ConsumerStore, ConsumerTransaction, HandlingObserver, OutsideConsumer
from .dead_letter import DeadLetter, SetAsideRecord
from .transient import may_pass

ATTEMPTS = 3
logger = logging.getLogger("orderflow.consumer")


def _straight_from_the_log(_: LogRecord) -> Origin | None:
    return None


@frozen
class _Sorted:
    """A batch against the cursors: what comes next, what came before, what is none of ours, where something lacks."""

    news: tuple[LogRecord, ...]
    duplicates: int
    foreign: tuple[UnrecognizedRecord, ...]
    gaps: tuple[LogGap, ...]


@define(eq=False)
class HandleBatch:
    """Effects and cursors of a batch commit in one transaction, whatever the batch.

    A record at or before the cursor is a duplicate. A bucket with a gap waits: nothing behind the gap is handled.
    When another handler has moved a cursor meanwhile, nothing changes and nothing was handled. When a batch fails,
    its halves are tried alone, down to the one event that fails. It is tried again at once, or where the failure may
    pass (``may_pass``) it is left, with what comes after it in its bucket, to be given again. After ``attempts`` tries
    the event parks its order: it and the order's later events go to the dead letters, in order, with their ``origin``,
    and every other order flows on. Where they are ``copied``, that is noted in the same transaction.
    Every event handled, failed at or parked is a line of the log; ``watch`` hears of the first two.
    With ``restore_guard``, for records that come from a topic, those that a later epoch superseded are passed over,
    and what the log does not have is refused: LogBehindTopic, and nothing of the batch is handled.
    Raises Unavailable (a backend does not answer): nothing is lost, and the same records may be given again.
    """

    consumer: Consumer
    store: ConsumerStore
    cursors: Cursors
    decode: Decode
    clock: Clock
    attempts: int = ATTEMPTS
    watch: HandlingObserver | None = None
    origin: Callable[[LogRecord], Origin | None] = _straight_from_the_log
    restore_guard: RestoreGuard | None = None
    copied: bool = False
    _positions: dict[int, int] | None = field(default=None, init=False)
    _tried: dict[tuple[int, int], DeadLetter] = field(factory=dict, init=False)
    """Events that are to be tried again, by address, and how they failed so far."""
    _waiting: dict[int, int] = field(factory=dict, init=False)
    """Buckets of the batch in hand that wait for such an event, and its position."""

    async def __call__(self, records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        known, self._positions = self._positions, None  # whatever ends this early leaves the cursors unknown
        positions = await self._read_cursors() if known is None else known
        counting = records if self.restore_guard is None else await self.restore_guard.effective(records)
        superseded, records = len(records) - len(counting), counting
        batch = _sort(records, positions, self.consumer.name)
        if known is not None and (batch.gaps or batch.duplicates):
            # Another handler may have had these buckets for a while.
            positions = await self._read_cursors()
            batch = _sort(records, positions, self.consumer.name)
        if batch.news and self.restore_guard is not None and not await self.restore_guard.verify(batch.news):
            return BatchResult()
        handled = BatchResult(
            duplicates=batch.duplicates, foreign=len(batch.foreign), superseded=superseded, gaps=batch.gaps
        )
        try:
            if batch.foreign:
                await self._set_aside(batch.foreign)
            parked = await self._handle_all(batch.news) if batch.news else 0
        except StaleCursor:
            return BatchResult()
        done, left = self._split(batch.news)
        positions.update({record.bucket: record.position for record in done})
        self._positions = positions
        return evolve(handled, events=len(done) - parked, parked=parked, left=left)

    async def _read_cursors(self) -> dict[int, int]:
        return dict(await self.cursors.positions(self.consumer.name))

    async def _handle_all(self, news: Sequence[LogRecord]) -> int:
        """Those that failed before are tried alone, and first: each of them is the first of its bucket."""
        self._waiting = {}
        if not self._tried:
            return await self._handle(news)
        self._tried = {address: self._tried[address] for it in news if (address := it.address) in self._tried}
        again = dict(self._tried)
        parked = sum([await self._insist(letter.record, letter) for letter in again.values()])
        return parked + await self._handle([it for it in news if it.address not in again])

    async def _handle(self, records: Sequence[LogRecord]) -> int:
        """Bring the cursors past ``records``, but for those that wait; how many of them went to the dead letters."""
        if self._waiting:
            records = [it for it in records if it.bucket not in self._waiting]
        if len(records) < 2:
            return await self._insist(records[0]) if records else 0
        try:
            return await self._commit(records)
        except (Unavailable, StaleCursor):
            raise
        except Exception as failure:  # noqa: BLE001 - whatever a handler fails at is decided upon when it stands alone
            logger.debug("batch failed", extra={"consumer": self.consumer.name, "error": failure})
        half = len(records) // 2
        return await self._handle(records[:half]) + await self._handle(records[half:])

    async def _insist(self, record: LogRecord, letter: DeadLetter | None = None) -> int:
        """Try one event until it is handled, waits for what may pass, or has parked its order; ``letter`` tells of
        the tries before. Bytes that say nothing never will.
        """
        while True:
            began = perf_counter()
            try:
                parked = await self._commit([record], attempt=letter.attempts + 1 if letter else 1)
            except (Unavailable, StaleCursor):
                raise
            except Exception as error:  # noqa: BLE001 - as above
                failure = error
            else:
                self._tried.pop(record.address, None)
                return parked
            letter = (letter or self._letter(record)).failed_again(failure, self.clock())
            self._failed(letter, failure, perf_counter() - began)
            if letter.attempts >= self.attempts or isinstance(failure, UndecodableEvent):
                return await self._park(letter)
            if may_pass(failure):
                self._tried[record.address] = letter
                self._waiting[record.bucket] = record.position
                return 0

    def _split(self, news: Sequence[LogRecord]) -> tuple[Sequence[LogRecord], tuple[LogRecord, ...]]:
        """What is done of these, and what waits."""
        if not self._waiting:
            return news, ()
        left = tuple(it for it in news if it.position >= self._waiting.get(it.bucket, inf))
        return [it for it in news if it.position < self._waiting.get(it.bucket, inf)], left

    async def _park(self, letter: DeadLetter) -> int:
        async with self.store(self.consumer.name) as work:
            await work.advance(_moves([letter.record]))
            await self._keep(work, [letter])
        self._tried.pop(letter.record.address, None)
        said = {"consumer": self.consumer.name, "attempt": letter.attempts, "error": {"code": letter.error}}
        logger.error("order parked", extra={**about(letter.record), **said})
        return 1

    def _failed(self, letter: DeadLetter, failure: Exception, seconds: float) -> None:
        said = {"consumer": self.consumer.name, "attempt": letter.attempts, "error": failure}
        logger.warning("event failed", extra={**about(letter.record), **said}, exc_info=failure)
        if self.watch is not None:
            self.watch(self.consumer.name, [letter.record], seconds=seconds, failure=code_of(failure))

    def _letter(self, record: LogRecord, message: str = "") -> DeadLetter:
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
        """One transaction; the events of parked orders wait behind those that parked them."""
        began = perf_counter()
        opened = [Delivery(record, self.decode(record)) for record in records]
        untold = await self._tell(self.consumer, opened) if isinstance(self.consumer, OutsideConsumer) else []
        async with self.store(self.consumer.name) as work:
            # The cursors first: they decide, and of two handlers with the same batch the later one waits here.
            await work.advance(_moves(records))
            parked = await work.dead_letters.parked({record.order_id for record in records})
            free = [delivery for delivery in opened if delivery.record.order_id not in parked]
            if untold and (missed := [delivery.record for delivery in free if delivery in untold]):
                # Its order was redriven to its end meanwhile: nothing of this stays, and the same is given again.
                raise StaleCursor(self.consumer.name, missed[0].bucket, missed[0].position - 1)
            if free:
                await self.consumer.handle(free, work)
            if len(free) < len(records):
                await self._wait_behind(work, [record for record in records if record.order_id in parked])
        self._handled([delivery.record for delivery in free], perf_counter() - began, attempt)
        return len(records) - len(free)

    def _handled(self, records: Sequence[LogRecord], seconds: float, attempt: int) -> None:
        said = {"consumer": self.consumer.name, "attempt": attempt, "duration": round(seconds, 6)}
        log_each(logger, logging.INFO, "handled", ({**about(record), **said} for record in records))
        if self.watch is not None and records:
            self.watch(self.consumer.name, records, seconds=seconds, failure="")

    async def _tell(self, consumer: OutsideConsumer, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """What is done outside, before the transaction; which deliveries were left out, their orders being parked."""
        async with self.store(consumer.name) as work:
            parked = await work.dead_letters.parked({delivery.record.order_id for delivery in deliveries})
        free = [delivery for delivery in deliveries if delivery.record.order_id not in parked]
        if free:
            await consumer.tell(free)
        return [delivery for delivery in deliveries if delivery.record.order_id in parked]

    async def _wait_behind(self, work: ConsumerTransaction, records: Sequence[LogRecord]) -> None:
        said = {"consumer": self.consumer.name}
        log_each(logger, logging.INFO, "waits behind a parked event", ({**about(it), **said} for it in records))
        await self._keep(work, [self._letter(it, "waits behind an earlier event of its order") for it in records])

    async def _keep(self, work: ConsumerTransaction, letters: Sequence[DeadLetter]) -> None:
        await work.dead_letters.keep(letters)
        if self.copied:
            await work.dead_letters.copy_later(letters, self.clock())

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
