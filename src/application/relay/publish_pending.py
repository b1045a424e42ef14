"""What stands in the log and not yet on the topic is brought there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic

from attrs import define, field, frozen

from ...domain.errors import LogBehindTopic, Unavailable
from ..event_log.ports import Cursors, EventLog
from ..event_log.records import RELAY, LogRecord, Positions, all_buckets
from ..recovery.epochs import BEGINNING, Epochs, LogEpochs
from ..recovery.restore_guard import mismatches
from .ports import RelayTopic

BATCH = 10_000
"""Events a transaction: its fixed cost, some round trips, is then small beside theirs."""
REFRESH_SECONDS = 1.0
"""How long what the database said of itself is relied upon: one that was away for less is taken to be the same."""


logger = logging.getLogger("orderflow.relay")


@frozen
class RelayBatch:
    """``records`` are what the log holds behind ``after``, as far as one transaction takes them.

    ``own`` are the topic's cursors that led there, some of them perhaps unknown; ``share`` are the buckets, from 0
    on, that are published, and ``after`` names no other.
    """

    own: Mapping[int, int | None]
    share: int
    after: Positions
    records: Sequence[LogRecord] = ()

    def reached(self) -> Positions:
        """Where the buckets stand to which this batch brings something."""
        return {record.bucket: record.position for record in self.records}


@define(eq=False)
class PublishPending:
    """One batch of the buckets that are this relay's now, exactly once and in order; how many events it was.

    Kafka's cursors decide. A bucket that Kafka has no cursor for goes on from the floor in the database. A Kafka
    cursor ahead of the log, or at an event that is not the log's, means that the log was restored: LogBehindTopic, and
    nothing is published, also when the log has become longer than the cursor; that is looked at when a cursor is not
    the one that was left there, and before anything is published at most a second after the last time.
    ``share`` tells how many buckets, from 0 on, are published now; what others hold stays in the log, and comes in
    order once they are. An epoch of ``epochs`` that was begun is gone on in within a second. Raises StreamUnavailable,
    StorageUnavailable, LogBehindTopic.
    """

    log: EventLog
    topic: RelayTopic
    cursors: Cursors
    batch: int = BATCH
    share: Callable[[], Awaitable[int]] = all_buckets
    epochs: LogEpochs | None = None
    clock: Callable[[], float] = monotonic
    _known: dict[int, int] = field(factory=dict, init=False)
    _reached: dict[int, int] = field(factory=dict, init=False)
    _ahead: list[RelayBatch] = field(factory=list, init=False)
    _epochs: Epochs = field(default=BEGINNING, init=False)
    _epochs_until: float | None = field(default=None, init=False)
    _agreed: Mapping[int, int | None] = field(factory=dict, init=False)
    _agreed_until: float = field(default=0.0, init=False)
    _told_of: frozenset[int] = field(default=frozenset(), init=False)

    async def __call__(self) -> int:
        own = await self._own()
        if not own:
            return 0
        share = await self.share()
        batch = self._read_ahead(own, share) or await self._read(own, share)
        if batch.records or own != self._agreed:
            await self._agree(own)
        if not batch.records:
            return 0
        if len(batch.records) < self.batch:
            await self.topic.publish(batch.records)
        else:
            await self._publish_and_read_ahead(batch)
        self._seen(batch.reached())
        self._agreed = {**own, **batch.reached()}
        return len(batch.records)

    async def _own(self) -> Mapping[int, int | None]:
        """The topic's cursors of the buckets that are this relay's, as far as they count in the epoch that is now."""
        if self._epochs_until is None or self.clock() >= self._epochs_until:
            await self._learn_epochs()
        try:
            return await self.topic.cursors(self._epochs)
        except LogBehindTopic:
            if not await self._learn_epochs():
                raise
        return await self.topic.cursors(self._epochs)

    async def _learn_epochs(self) -> bool:
        """Whether one was begun since the last time; what was reached before may not count in it."""
        if self.epochs is None:
            return False
        before, requested_at = self._epochs, self.clock()
        self._epochs = await self.epochs.all()
        self._epochs_until = requested_at + REFRESH_SECONDS
        if self._epochs == before:
            return False
        self._known.clear()
        self._reached.clear()
        self._ahead.clear()
        return True

    async def _agree(self, own: Mapping[int, int | None]) -> None:
        """Raises LogBehindTopic unless the events at these cursors are the log's, as far as their marks tell."""
        if own == self._agreed and self.clock() < self._agreed_until:
            return
        requested_at = self.clock()
        marks = await self.topic.marks()
        told = {(bucket, at): marks[bucket] for bucket, at in own.items() if at and bucket in marks}
        for bucket, at in await mismatches(self.log, told):
            raise LogBehindTopic(bucket, at, at, f"at position {at} the topic has an event that the log has not")
        self._agreed, self._agreed_until = own, requested_at + REFRESH_SECONDS

    async def _read(self, own: Mapping[int, int | None], share: int) -> RelayBatch:
        heads = await self.log.heads()
        self._seen({bucket: at for bucket, at in own.items() if at is not None})
        unknown = any(at is None and heads.get(bucket, 0) for bucket, at in own.items())
        floor = await self.cursors.positions(RELAY) if unknown else {}
        if forgotten := frozenset(bucket for bucket, at in own.items() if at is None and floor.get(bucket)):
            self._tell_of_floor(forgotten)
        after = {bucket: floor.get(bucket, 0) if at is None else at for bucket, at in own.items()}
        for bucket, position in after.items():
            if position > heads.get(bucket, 0):
                raise LogBehindTopic(bucket, heads.get(bucket, 0), position)
        after = {bucket: position for bucket, position in after.items() if bucket < share}
        behind = {bucket: position for bucket, position in after.items() if heads.get(bucket, 0) > position}
        return RelayBatch(own, share, after, await self.log.read(behind, limit=self.batch) if behind else ())

    def _tell_of_floor(self, forgotten: frozenset[int]) -> None:
        """Once for these buckets: they were published before, and Kafka knows nothing of it."""
        if forgotten != self._told_of:
            self._told_of = forgotten
            logger.warning(
                "Kafka has no cursors of what was published: topic, cluster or group are new, or offsets have expired; "
                "going on from what the database noted (`orderflow log republish` publishes all again)",
                extra={"buckets": len(forgotten)},
            )

    async def _publish_and_read_ahead(self, batch: RelayBatch) -> None:
        """A full batch has more behind it: that is read while Kafka takes this one.

        Not before this one is handed over: reading and handing over are both this process's own work.
        """
        reached = batch.reached()
        own, after = {**batch.own, **reached}, {**batch.after, **reached}
        loop, on_flushed = asyncio.get_running_loop(), asyncio.Event()

        async def publish() -> None:
            try:
                await self.topic.publish(batch.records, lambda: loop.call_soon_threadsafe(on_flushed.set))
            finally:
                on_flushed.set()

        async def read() -> Sequence[LogRecord]:
            await on_flushed.wait()
            return await self.log.read(after, limit=self.batch)

        published, records = await asyncio.gather(publish(), read(), return_exceptions=True)
        if published is not None:
            raise published
        if not isinstance(records, BaseException):
            self._ahead.append(RelayBatch(own, batch.share, after, records))
        elif not isinstance(records, Unavailable):  # which the next reading meets by itself
            raise records

    def _read_ahead(self, own: Mapping[int, int | None], share: int) -> RelayBatch | None:
        """What was read ahead, if the topic's cursors and the share are those that were expected then."""
        ahead = self._ahead.pop() if self._ahead else None
        return ahead if ahead is not None and ahead.records and (ahead.own, ahead.share) == (own, share) else None

    def _seen(self, positions: Positions) -> None:
        """Positions that stand on the topic, also those that another relay brought there and did not note."""
        for bucket, position in positions.items():
            if position > self._known.get(bucket, 0):
                self._known[bucket] = self._reached[bucket] = position

    async def note_floor(self) -> None:
        """Write the cursors reached since the last time to the database, where they are the floor."""
        reached = dict(self._reached)
        if reached:
            await self.cursors.put(RELAY, reached)
            for bucket, position in reached.items():
                if self._reached[bucket] == position:
                    del self._reached[bucket]
