"""Replay past events to a consumer, up to its cursors."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf
from typing import Generic

from attrs import define, field, frozen

from ...domain.text import counted
from ..clock import Clock
from ..consuming.consumer import Consumer, ConsumerStore, OutsideConsumer, T
from ..dead_letters.ports import DeadLetters
from ..event_log.ports import Cursors, Decode, EventLog
from ..event_log.records import Delivery, LogRecord
from ..maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ..maintenance.ports import MaintenanceLog
from ..noop import noop
from ..operator_note import OperatorNote
from .bisect_batch import bisect_batch
from .replay_range import (
    MissingPosition,
    ReplayResult,
    ReplaySource,
    ReplayStart,
    Selection,
    StoppedOrder,
    select_positions,
    source_named,
)

logger = logging.getLogger("orderflow.repair")


Progress = Callable[[int, int], None]
"""Called with the number of events that are done, and of all."""


@frozen(kw_only=True)
class ReplayEvents(Generic[T]):
    """Replay events to ``consumer`` that it has passed. Its cursors are not moved, so it continues meanwhile.

    Each batch is a transaction that locks the cursors of its buckets, like the consumer's own, and has no event beyond
    them. Effects that exist stay unchanged, missing ones are restored, and dropped events stay dropped. An order stops
    at an event that fails, or at the event that parked it; a bucket stops at an event that the source does not have.
    All others continue. A replay can be repeated with the same result.
    A consumer with effects outside of the database handles each event again, alone.
    """

    consumer: Consumer[T]
    store: ConsumerStore[T]
    cursors: Cursors
    dead_letters: DeadLetters
    log: EventLog
    sources: Mapping[str, ReplaySource]
    maintenance_log: MaintenanceLog
    decode: Decode
    clock: Clock
    buckets: int

    async def dry_run(self, start: ReplayStart, *, source: str = "log") -> ReplayResult:
        """Return what the replay would do. Nothing is changed or recorded. Raises as ``__call__`` does."""
        replay = await self._begin(start, source)
        async for records in self.sources[source](replay.wanted, start.order_id):
            replay.next(records)
        return replay.result(dry_run=True)

    async def __call__(
        self,
        start: ReplayStart,
        *,
        by: str,
        reason: str,
        source: str = "log",
        progress: Progress = noop,
    ) -> ReplayResult:
        """Replay from ``start``.

        Raises InvalidInput, OrderNotFound; NotConfigured for an unknown source; Unavailable, after which the replay can
        be repeated.
        """
        replay = await self._begin(start, source)
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        detail = f"from {start} by the {source}: {counted(replay.events, 'event')}"
        await self.maintenance_log.record(
            MaintenanceEntry(kind=MaintenanceKind.REPLAY, consumer=self.consumer.name, detail=detail, note=note)
        )

        async def commit(records: Sequence[LogRecord]) -> None:
            await self._commit(records)
            replay.handled += len(records)

        async for records in self.sources[source](replay.wanted, start.order_id):
            batch = replay.next(records)
            # One event in a batch if its effects cannot be rolled back.
            for part in [[it] for it in batch] if isinstance(self.consumer, OutsideConsumer) else [batch]:
                await bisect_batch(part, commit, replay.stopped)
            progress(replay.passed, replay.events)
        done = replay.result()
        figures = {"consumer": done.consumer, "events": done.handled, "stopped": len(done.stopped)}
        logger.info("replayed", extra=figures)
        return done

    async def _begin(self, start: ReplayStart, source: str) -> "_Replay":
        source_named(self.sources, source)
        name = self.consumer.name
        at = await self.cursors.positions(name)
        wanted = await select_positions(start, self.log, at, self.buckets)
        # Parked events first: an event that is dropped between the two queries is in the first.
        parked = {it.record.order_id: it.record.sequence for it in await self.dead_letters.blocking(name)}
        return _Replay(name, source, wanted, parked, await self.dead_letters.dropped(name))

    async def _commit(self, records: Sequence[LogRecord]) -> None:
        deliveries = [Delivery(record, self.decode(record)) for record in records]
        if isinstance(self.consumer, OutsideConsumer):
            await self.consumer.perform(deliveries)
            return
        async with self.store(self.consumer.name) as work:
            await work.hold({record.bucket for record in records})
            # These locks order a redrive of the orders before or after this transaction.
            await work.dead_letters.parked({record.order_id for record in records})
            await self.consumer.handle(deliveries, work)


@define(eq=False)
class _Replay:
    """A replay in progress: its positions in each bucket, and its counts.

    ``first_parked`` is the sequence of each parked order's first dead letter, ``given_up`` are the dropped events.
    """

    consumer: str
    source: str
    wanted: Selection
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
        """Return the records to handle, in each bucket up to the first missing one."""
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
        """Return True if ``record`` is neither parked nor dropped; otherwise count it."""
        parked = record.sequence >= self.first_parked.get(record.order_id, inf)
        dropped = not parked and record.sequence in self.given_up.get(record.order_id, ())
        self.parked += parked
        self.dropped += dropped
        return not parked and not dropped

    def result(self, *, dry_run: bool = False) -> ReplayResult:
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
