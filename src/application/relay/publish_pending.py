"""Publishes the events that are in the log and not yet on the topic."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from math import inf
from time import monotonic

from attrs import define, field, frozen

from ...domain.errors import LogBehindTopic, StreamUnavailable, Unavailable
from ..event_log.ports import Cursors, EventLog
from ..event_log.records import RELAY, LogRecord, Positions, all_buckets
from ..recovery.epochs import BEGINNING, Epochs, LogEpochs
from ..recovery.restore_guard import mismatches
from .ports import RelayTopic

BATCH = 10_000
"""Events per transaction, so many that its fixed cost, some round trips, is small in comparison."""
BATCH_BYTES = 16_000_000
"""Bytes of events per transaction; a larger event is alone in its transaction."""
FIRST_BATCH = 2_500
"""Events in the first transaction. The number grows after each full one that was fast, so this delays little, and a
broker that throttles its clients does not get more than it accepts within the time limit of a transaction."""
FAST_SECONDS = 2.0
VERY_FAST_SECONDS = 0.5
STEADY_SECONDS = 30.0
"""The time for which batches do not grow again beyond the largest that fitted before one was not acknowledged. A broker
that throttles its clients delays the batches after the one that was too large, so that a fast one proves little."""
VERIFIED_FOR_SECONDS = 1.0
"""The time for which a verification of the database is valid: a shorter outage is no restore."""


logger = logging.getLogger("orderflow.relay")


@frozen
class RelayBatch:
    """The ``records`` of the log after the positions ``after``, as many as one transaction takes.

    ``own`` are the topic's cursors that they follow, None where unknown. Buckets below ``share`` are published;
    ``after`` has no others. It is ``full`` if more events may follow.
    """

    own: Mapping[int, int | None]
    share: int
    after: Positions
    records: Sequence[LogRecord] = ()
    full: bool = False
    reached: Positions = field(init=False)
    """The cursors after this batch, of the buckets that it has records of."""

    @reached.default
    def _positions(self) -> Positions:
        return {record.bucket: record.position for record in self.records}


@define(eq=False)
class PublishPending:
    """Publishes one batch of this relay's buckets, exactly once and in order, and returns its number of events.

    Kafka's cursors are authoritative. A bucket without a cursor in Kafka continues from the stored cursor in the
    database. A Kafka cursor ahead of the log, or at an event that differs from the log's, means that the log was
    restored. Then LogBehindTopic is raised and nothing is published, even after the log has grown past the cursor.
    A batch has at most ``batch`` events and BATCH_BYTES. It starts smaller, is halved after it was not acknowledged in
    time, and grows after a full one: to twice as many if it took less than FAST_SECONDS, to four times as many if it
    took less than VERY_FAST_SECONDS, and for STEADY_SECONDS not beyond the last that fitted.
    This is verified when a cursor is not the one that this relay left, and at least once a second while it publishes.

    ``share`` returns the number of buckets, from 0 on, that are published now. The events of the others stay in the
    log and are published in order later. A new epoch of ``epochs`` takes effect within a second. Raises
    StreamUnavailable, StorageUnavailable, LogBehindTopic.
    """

    log: EventLog
    topic: RelayTopic
    cursors: Cursors
    batch: int = BATCH
    share: Callable[[], Awaitable[int]] = all_buckets
    epochs: LogEpochs | None = None
    clock: Callable[[], float] = monotonic
    limit: int = field(init=False)
    """The number of events that the next batch has at most."""
    full: bool = field(default=False, init=False)
    """True if the last batch was full."""
    _known: dict[int, int] = field(factory=dict, init=False)
    _reached: dict[int, int] = field(factory=dict, init=False)
    _ahead: list[RelayBatch] = field(factory=list, init=False)
    _epochs: Epochs = field(default=BEGINNING, init=False)
    _epochs_until: float | None = field(default=None, init=False)
    _fitted: int = field(default=0, init=False)
    """The size of the last full batch if it was acknowledged, else 0."""
    _ceiling: int = field(default=0, init=False)
    _ceiling_until: float = field(default=-inf, init=False)
    _verified: Mapping[int, int | None] = field(factory=dict, init=False)
    _verified_until: float = field(default=0.0, init=False)
    _warned_of: frozenset[int] = field(default=frozenset(), init=False)

    def __attrs_post_init__(self) -> None:
        self.limit = min(self.batch, FIRST_BATCH)

    async def __call__(self) -> int:
        self.full = False
        own = await self._own()
        if not own:
            return 0
        share = await self.share()
        batch = self._read_ahead(own, share) or await self._read(own, share)
        if batch.records or own != self._verified:
            await self._verify(own)
        if not batch.records:
            return 0
        began, self.full = self.clock(), batch.full
        try:
            if batch.full:
                await self._publish_and_read_ahead(batch)
            else:
                await self.topic.publish(batch.records)
        except StreamUnavailable:
            self._shrink(len(batch.records))
            raise
        if batch.full:
            self._grow(len(batch.records), self.clock() - began)
        self._note_reached(batch.reached)
        self._verified = {**own, **batch.reached}
        return len(batch.records)

    def _shrink(self, failed: int) -> None:
        if self._fitted:
            self._ceiling, self._ceiling_until = self._fitted, self.clock() + STEADY_SECONDS
        self._fitted = 0
        self.limit = max(1, min(self.limit, failed) // 2)

    def _grow(self, fitted: int, seconds: float) -> None:
        self._fitted = fitted
        if seconds < FAST_SECONDS:
            most = self.batch if self.clock() >= self._ceiling_until else max(self.limit, self._ceiling)
            self.limit = min(self.batch, most, self.limit * (4 if seconds < VERY_FAST_SECONDS else 2))

    async def _own(self) -> Mapping[int, int | None]:
        """Return the topic's cursors of this relay's buckets that are effective in the current epoch."""
        if self._epochs_until is None or self.clock() >= self._epochs_until:
            await self._refresh_epochs()
        try:
            return await self.topic.cursors(self._epochs)
        except LogBehindTopic:
            if not await self._refresh_epochs():
                await self.log.bodies([(0, 1)])  # raises StorageUnavailable on a server that may lack an epoch
                raise
        return await self.topic.cursors(self._epochs)

    async def _refresh_epochs(self) -> bool:
        """Read the epochs. If there is a new one, forget what was published before, and return True."""
        if self.epochs is None:
            return False
        before, requested_at = self._epochs, self.clock()
        self._epochs = await self.epochs.all()
        self._epochs_until = requested_at + VERIFIED_FOR_SECONDS
        if self._epochs == before:
            return False
        self._known.clear()
        self._reached.clear()
        self._ahead.clear()
        return True

    async def _verify(self, own: Mapping[int, int | None]) -> None:
        """Compare the events at these cursors with the log's, by their checksums. Raises LogBehindTopic."""
        if own == self._verified and self.clock() < self._verified_until:
            return
        requested_at = self.clock()
        checksums = await self.topic.checksums()
        committed = {(bucket, at): checksums[bucket] for bucket, at in own.items() if at and bucket in checksums}
        for bucket, at in await mismatches(self.log, committed):
            raise LogBehindTopic(bucket, at, at, f"at position {at} the topic has an event that the log lacks")
        self._verified, self._verified_until = own, requested_at + VERIFIED_FOR_SECONDS

    async def _read(self, own: Mapping[int, int | None], share: int) -> RelayBatch:
        heads = await self.log.heads()
        known = {bucket: at for bucket, at in own.items() if at is not None}
        if own != self._verified:
            self._note_reached(known)
        if len(known) < len(own):
            known = await self._with_stored(own, heads)
        for bucket, position in known.items() - heads.items():  # few differ: this is much less work than a loop
            if position > heads.get(bucket, 0) and await mismatches(self.log, {(bucket, position): None}):
                raise LogBehindTopic(bucket, heads.get(bucket, 0), position)
        after = (
            {bucket: at for bucket, at in known.items() if bucket < share} if share <= max(known, default=-1) else known
        )
        return await self._batch(own, share, after, heads)

    async def _batch(self, own: Mapping[int, int | None], share: int, after: Positions, heads: Positions) -> RelayBatch:
        """Read the next records up to ``heads``, at most ``limit`` and BATCH_BYTES, but at least one."""
        differing = after.items() - heads.items()
        behind = {bucket: position for bucket, position in differing if heads.get(bucket, 0) > position}
        if not behind:
            return RelayBatch(own, share, after)
        records = await self.log.read(behind, limit=self.limit, heads=heads, max_bytes=BATCH_BYTES)
        waiting = sum(heads[bucket] - position for bucket, position in behind.items())
        return RelayBatch(own, share, after, records, full=len(records) == self.limit or len(records) < waiting)

    async def _with_stored(self, own: Mapping[int, int | None], heads: Positions) -> dict[int, int]:
        """Return these cursors, those that Kafka does not know as they are in the database."""
        if any(own[bucket] is None for bucket in own.keys() & heads.keys()):
            stored = await self.cursors.positions(RELAY)
        else:
            stored = {}
        if missing := frozenset(bucket for bucket, at in own.items() if at is None and stored.get(bucket)):
            self._warn_of_stored_cursors(missing)
        return {bucket: stored.get(bucket, 0) if at is None else at for bucket, at in own.items()}

    def _warn_of_stored_cursors(self, missing: frozenset[int]) -> None:
        """Warn once about these buckets, which were published before and have no cursors in Kafka."""
        if missing != self._warned_of:
            self._warned_of = missing
            logger.warning(
                "Kafka has no cursors of what was published: the topic, cluster or group is new, or offsets have "
                "expired; continuing from the cursors in the database (`orderflow log republish` publishes all again)",
                extra={"buckets": len(missing)},
            )

    async def _publish_and_read_ahead(self, batch: RelayBatch) -> None:
        """Publish a full batch, and read the next one while Kafka stores it.

        Reading starts after the batch was sent, because both take this process's CPU.
        """
        own, after = {**batch.own, **batch.reached}, {**batch.after, **batch.reached}
        loop, on_flushed = asyncio.get_running_loop(), asyncio.Event()

        async def publish() -> None:
            try:
                await self.topic.publish(batch.records, lambda: loop.call_soon_threadsafe(on_flushed.set))
            finally:
                on_flushed.set()

        async def read() -> RelayBatch:
            await on_flushed.wait()
            return await self._batch(own, batch.share, after, await self.log.heads())

        published, ahead = await asyncio.gather(publish(), read(), return_exceptions=True)
        if published is not None:
            raise published
        if not isinstance(ahead, BaseException):
            self._ahead.append(ahead)
        elif not isinstance(ahead, Unavailable):  # the next read raises it again
            raise ahead

    def _read_ahead(self, own: Mapping[int, int | None], share: int) -> RelayBatch | None:
        """Return the batch that was read ahead, if the topic's cursors and the share have not changed since."""
        ahead = self._ahead.pop() if self._ahead else None
        return ahead if ahead is not None and ahead.records and (ahead.own, ahead.share) == (own, share) else None

    def _note_reached(self, positions: Positions) -> None:
        """Note positions that are on the topic, also those that another relay published and did not store."""
        for bucket, position in positions.items():
            if position > self._known.get(bucket, 0):
                self._known[bucket] = self._reached[bucket] = position

    async def store_cursors(self) -> None:
        """Store the cursors that were reached since the last time in the database."""
        reached = dict(self._reached)
        if reached:
            await self.cursors.put(RELAY, reached)
            for bucket, position in reached.items():
                if self._reached[bucket] == position:
                    del self._reached[bucket]
