"""A consumer handles events of the past again, up to where it stands."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf

from attrs import define, field, frozen

from ...domain.errors import NotConfigured
from ..clock import Clock
from ..consuming.consumer import Consumer, ConsumerStore, OutsideConsumer
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import Cursors, Decode, EventLog
from ..event_log.records import Delivery, LogRecord
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..operator_note import OperatorNote
from .bisect_batch import bisect_batch
from .replay_range import Concerned, MissingPosition, ReplayResult, ReplaySource, ReplayStart, StoppedOrder, concerned

logger = logging.getLogger("orderflow.repair")


Progress = Callable[[int, int], None]
"""Told of so many events that are done, of so many."""


def unseen(_: int, __: int) -> None:
    """Nobody looks on."""


@frozen(kw_only=True)
class ReplayEvents:
    """Gives ``consumer`` again what it has behind it. Its cursors stay where they are, so it goes on meanwhile.

    Each batch is a transaction that holds the cursors of its buckets: it has its turn among the consumer's own, and
    finds no event that the consumer has not passed. What an event has brought about already stays as it is; what is
    missing is made up for, but for what somebody dropped. An order stops at an event that fails, one that is parked
    before the event that parked it, and a bucket where the source lacks an event; all others go on. Begun again it
    comes to the same.
    A consumer that does something outside of every transaction is told each event alone, again.
    """

    consumer: Consumer
    store: ConsumerStore
    cursors: Cursors
    letters: DeadLetters
    log: EventLog
    sources: Mapping[str, ReplaySource]
    maintenance_log: MaintenanceLog
    decode: Decode
    clock: Clock
    buckets: int

    async def dry_run(self, start: ReplayStart, *, source: str = "log") -> ReplayResult:
        """What there is to do; nothing is done or noted. Raises as the call does."""
        replay = await self._begin(start, source)
        async for records in self._source(source)(replay.wanted, start.order_id):
            replay.next(records)
        return replay.told(dry_run=True)

    async def __call__(
        self,
        start: ReplayStart,
        *,
        by: str,
        reason: str,
        source: str = "log",
        progress: Progress = unseen,
    ) -> ReplayResult:
        """Raises InvalidInput, OrderNotFound; NotConfigured for a source that there is not; Unavailable.

        After the last one, what is not done yet is done when it is asked for again.
        """
        replay = await self._begin(start, source)
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        detail = f"from {start} by the {source}: {replay.events} events"
        await self.maintenance_log.record(
            MaintenanceEntry(kind=MaintenanceKind.REPLAY, consumer=self.consumer.name, detail=detail, note=note)
        )

        async def commit(records: Sequence[LogRecord]) -> None:
            await self._commit(records)
            replay.handled += len(records)

        async for records in self._source(source)(replay.wanted, start.order_id):
            batch = replay.next(records)
            # One event a batch, where what was done outside cannot be taken back.
            for part in [[it] for it in batch] if isinstance(self.consumer, OutsideConsumer) else [batch]:
                await bisect_batch(part, commit, replay.stopped)
            progress(replay.passed, replay.events)
        done = replay.told()
        said = {"consumer": done.consumer, "events": done.handled, "stopped": len(done.stopped)}
        logger.info("replayed", extra=said)
        return done

    def _source(self, name: str) -> ReplaySource:
        if name not in self.sources:
            raise NotConfigured(f"there is no {name} to read from here", f"read from the {' or '.join(self.sources)}")
        return self.sources[name]

    async def _begin(self, start: ReplayStart, source: str) -> "_Replay":
        self._source(source)
        name = self.consumer.name
        at = await self.cursors.positions(name)
        wanted = await concerned(start, self.log, at, self.buckets)
        # Parked first: what is dropped after that look was parked in it.
        parked = {letter.record.order_id: letter.record.sequence for letter in await self.letters.blocking(name)}
        return _Replay(name, source, wanted, parked, await self.letters.dropped(name))

    async def _commit(self, records: Sequence[LogRecord]) -> None:
        opened = [Delivery(record, self.decode(record)) for record in records]
        if isinstance(self.consumer, OutsideConsumer):
            await self.consumer.tell(opened)
            return
        async with self.store(self.consumer.name) as work:
            await work.hold({record.bucket for record in records})
            # Held like this, a redrive of these orders comes before all of it or after.
            await work.dead_letters.parked({record.order_id for record in records})
            await self.consumer.handle(opened, work)


@define(eq=False)
class _Replay:
    """One replay under way: how far it has come in each bucket, and what came of it.

    ``first_parked`` is the sequence of each parked order's first letter, ``given_up`` are those that were dropped.
    """

    consumer: str
    source: str
    wanted: Concerned
    first_parked: Mapping[str, int]
    given_up: Mapping[str, Collection[int]]
    handled: int = 0
    parked: int = 0
    dropped: int = 0
    stopped: dict[str, StoppedOrder] = field(factory=dict)
    _done: dict[int, int] = field(factory=dict)
    _closed: set[int] = field(factory=set)
    _orders: set[str] = field(factory=set)

    @property
    def events(self) -> int:
        return sum(len(positions) for positions in self.wanted.values())

    @property
    def passed(self) -> int:
        return sum(self._done.values())

    def next(self, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """Those of ``records`` that are to be handled, up to the first in each bucket before which one is missing."""
        found = []
        for record in records:
            wanted, done = self.wanted.get(record.bucket, ()), self._done.get(record.bucket, 0)
            if record.bucket in self._closed or done == len(wanted) or record.position < wanted[done]:
                continue
            if record.position == wanted[done]:
                self._done[record.bucket] = done + 1
                self._orders.add(record.order_id)
                if self._is_free(record):
                    found.append(record)
            elif record.position in wanted:
                self._closed.add(record.bucket)
        return found

    def _is_free(self, record: LogRecord) -> bool:
        """Whether ``record`` is neither parked nor was dropped; it is counted where it is."""
        parked = record.sequence >= self.first_parked.get(record.order_id, inf)
        dropped = not parked and record.sequence in self.given_up.get(record.order_id, ())
        self.parked += parked
        self.dropped += dropped
        return not parked and not dropped

    def told(self, *, dry_run: bool = False) -> ReplayResult:
        reached = {bucket: self._done.get(bucket, 0) for bucket in self.wanted}
        missing = [
            MissingPosition(bucket=bucket, position=self.wanted[bucket][done])
            for bucket, done in sorted(reached.items())
            if done < len(self.wanted[bucket])
        ]
        return ReplayResult(
            consumer=self.consumer,
            source=self.source,
            dry_run=dry_run,
            events=self.events,
            orders=len(self._orders),
            handled=self.handled,
            parked=self.parked,
            dropped=self.dropped,
            stopped=tuple(self.stopped.values()),
            missing=tuple(missing),
        )
