"""A consumer's next records: each handled once, in order, and none ever holds up another order."""

import logging
from collections.abc import Sequence
from time import perf_counter

from attrs import define, evolve, field, frozen

from ..domain.errors import LogGap, StaleCursor, Unavailable, UndecodableEvent
from .consuming import Consumer, ConsumerStore, ConsumerWork, Handled, HandlingWatch, OutsideConsumer
from .dead_letters import DeadLetter, ForeignLetter
from .discreet import code_of
from .lines import about, tell_each
from .log import Delivery, Foreign, LogRecord
from .ports import Clock, Cursors, Decode

ATTEMPTS = 3
logger = logging.getLogger("orderflow.consumer")


@frozen
class _Sorted:
    """A batch against the cursors: what comes next, what came before, what is none of ours, where something lacks."""

    news: tuple[LogRecord, ...]
    duplicates: int
    foreign: tuple[Foreign, ...]
    gaps: tuple[LogGap, ...]


@define(eq=False)
class HandleBatch:
    """Effects and cursors of a batch commit in one transaction, whatever the batch.

    A record at or before the cursor is a duplicate. A bucket with a gap waits: nothing behind the gap is handled.
    When another handler has moved a cursor meanwhile, nothing changes and nothing was handled. When a batch fails,
    its halves are tried alone, down to the one event that fails; after ``attempts`` tries that event parks its
    order: it and the order's later events go to the dead letters, in order, and every other order flows on.
    Every event handled, failed at or parked is a line of the log; ``watch`` hears of the first two.
    Raises Unavailable (a backend does not answer): nothing is lost, and the same records may be given again.
    """

    consumer: Consumer
    store: ConsumerStore
    cursors: Cursors
    decode: Decode
    clock: Clock
    attempts: int = ATTEMPTS
    watch: HandlingWatch | None = None
    _positions: dict[int, int] | None = field(default=None, init=False)

    async def __call__(self, records: Sequence[LogRecord | Foreign]) -> Handled:
        known, self._positions = self._positions, None  # whatever ends this early leaves the cursors unknown
        positions = await self._read_cursors() if known is None else known
        batch = _sort(records, positions, self.consumer.name)
        if known is not None and (batch.gaps or batch.duplicates):
            # Another handler may have had these buckets for a while.
            positions = await self._read_cursors()
            batch = _sort(records, positions, self.consumer.name)
        handled = Handled(duplicates=batch.duplicates, foreign=len(batch.foreign), gaps=batch.gaps)
        try:
            if batch.foreign:
                await self._set_aside(batch.foreign)
            if batch.news:
                parked = await self._handle(batch.news)
                handled = evolve(handled, events=len(batch.news) - parked, parked=parked)
        except StaleCursor:
            return Handled()
        positions.update({record.bucket: record.position for record in batch.news})
        self._positions = positions
        return handled

    async def _read_cursors(self) -> dict[int, int]:
        return dict(await self.cursors.positions(self.consumer.name))

    async def _handle(self, records: Sequence[LogRecord]) -> int:
        """Bring the cursors past ``records``; how many of them went to the dead letters."""
        try:
            return await self._commit(records)
        except (Unavailable, StaleCursor):
            raise
        except Exception as failure:  # noqa: BLE001 - whatever a handler fails at is decided upon here
            if len(records) == 1:
                return await self._insist(records[0], failure)
        half = len(records) // 2
        return await self._handle(records[:half]) + await self._handle(records[half:])

    async def _insist(self, record: LogRecord, failure: Exception) -> int:
        """Try one event again as often as allowed, then park its order. Bytes that say nothing never will."""
        now = self.clock()
        letter = DeadLetter(consumer=self.consumer.name, record=record, first_failed_at=now, last_failed_at=now)
        letter = letter.failed_again(failure, now)
        self._failed(record, failure, letter.attempts, 0.0)
        while letter.attempts < self.attempts and letter.error != UndecodableEvent.__name__:
            began = perf_counter()
            try:
                return await self._commit([record], attempt=letter.attempts + 1)
            except (Unavailable, StaleCursor):
                raise
            except Exception as again:  # noqa: BLE001 - as above
                letter = letter.failed_again(again, self.clock())
                self._failed(record, again, letter.attempts, perf_counter() - began)
        async with self.store(self.consumer.name) as work:
            await work.advance(_moves([record]))
            await work.dead_letters.keep([letter])
        said = {"consumer": self.consumer.name, "attempt": letter.attempts, "error": {"code": letter.error}}
        logger.error("order parked", extra={**about(record), **said})
        return 1

    def _failed(self, record: LogRecord, failure: Exception, attempt: int, seconds: float) -> None:
        said = {"consumer": self.consumer.name, "attempt": attempt, "error": failure}
        logger.warning("event failed", extra={**about(record), **said}, exc_info=failure)
        if self.watch is not None:
            self.watch(self.consumer.name, [record], seconds=seconds, failure=code_of(failure))

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
        tell_each(logger, logging.INFO, "handled", ({**about(record), **said} for record in records))
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

    async def _wait_behind(self, work: ConsumerWork, records: Sequence[LogRecord]) -> None:
        now, said = self.clock(), {"consumer": self.consumer.name}
        tell_each(logger, logging.INFO, "waits behind a parked event", ({**about(it), **said} for it in records))
        await work.dead_letters.keep(
            [
                DeadLetter(
                    consumer=self.consumer.name,
                    record=record,
                    message="waits behind an earlier event of its order",
                    first_failed_at=now,
                    last_failed_at=now,
                )
                for record in records
            ]
        )

    async def _set_aside(self, records: Sequence[Foreign]) -> None:
        now = self.clock()
        async with self.store(self.consumer.name) as work:
            await work.dead_letters.set_aside(
                [ForeignLetter(consumer=self.consumer.name, record=record, found_at=now) for record in records]
            )


def _sort(records: Sequence[LogRecord | Foreign], positions: dict[int, int], reader: str) -> _Sorted:
    reached: dict[int, int] = {}
    gaps: dict[int, LogGap] = {}
    news: list[LogRecord] = []
    foreign: list[Foreign] = []
    duplicates = 0
    for record in records:
        if isinstance(record, Foreign):
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
