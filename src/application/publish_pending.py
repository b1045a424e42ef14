"""What stands in the log and not yet on the topic is brought there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import field, frozen

from ..domain.errors import LogBehindTopic, Unavailable
from .log import LogRecord, Positions
from .ports import Cursors, EventLog, RelayTopic
from .rollout import all_buckets

BATCH = 4000
"""Events a transaction: its fixed cost, some round trips, is then small beside theirs."""
FLOOR = "relay"
"""The reader name under which the relay's cursors are also noted in the database."""


@frozen
class Batch:
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


@frozen
class PublishPending:
    """One batch of the buckets that are this relay's now, exactly once and in order; how many events it was.

    Kafka's cursors decide. A bucket that Kafka has no cursor for goes on from the floor in the database, and a
    Kafka cursor ahead of the log means that the log was restored: LogBehindTopic, and nothing is published.
    ``share`` tells how many buckets, from 0 on, are published now; what others hold stays in the log, and comes in
    order once they are. Raises StreamUnavailable, StorageUnavailable, LogBehindTopic.
    """

    log: EventLog
    topic: RelayTopic
    cursors: Cursors
    batch: int = BATCH
    share: Callable[[], Awaitable[int]] = all_buckets
    _known: dict[int, int] = field(factory=dict, init=False, eq=False)
    _reached: dict[int, int] = field(factory=dict, init=False, eq=False)
    _ahead: list[Batch] = field(factory=list, init=False, eq=False)

    async def __call__(self) -> int:
        own = await self.topic.cursors()
        if not own:
            return 0
        share = await self.share()
        batch = self._read_ahead(own, share) or await self._read(own, share)
        if not batch.records:
            return 0
        if len(batch.records) < self.batch:
            await self.topic.publish(batch.records)
        else:
            await self._publish_and_read_ahead(batch)
        self._seen(batch.reached())
        return len(batch.records)

    async def _read(self, own: Mapping[int, int | None], share: int) -> Batch:
        heads = await self.log.heads()
        self._seen({bucket: at for bucket, at in own.items() if at is not None})
        unknown = any(at is None and heads.get(bucket, 0) for bucket, at in own.items())
        floor = await self.cursors.positions(FLOOR) if unknown else {}
        after = {bucket: floor.get(bucket, 0) if at is None else at for bucket, at in own.items()}
        for bucket, position in after.items():
            if position > heads.get(bucket, 0):
                raise LogBehindTopic(bucket, heads.get(bucket, 0), position)
        after = {bucket: position for bucket, position in after.items() if bucket < share}
        behind = {bucket: position for bucket, position in after.items() if heads.get(bucket, 0) > position}
        return Batch(own, share, after, await self.log.read(behind, limit=self.batch) if behind else ())

    async def _publish_and_read_ahead(self, batch: Batch) -> None:
        """A full batch has more behind it: that is read while Kafka takes this one."""
        reached = batch.reached()
        own, after = {**batch.own, **reached}, {**batch.after, **reached}
        published, records = await asyncio.gather(
            self.topic.publish(batch.records), self.log.read(after, limit=self.batch), return_exceptions=True
        )
        if published is not None:
            raise published
        if not isinstance(records, BaseException):
            self._ahead.append(Batch(own, batch.share, after, records))
        elif not isinstance(records, Unavailable):  # which the next reading meets by itself
            raise records

    def _read_ahead(self, own: Mapping[int, int | None], share: int) -> Batch | None:
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
            await self.cursors.put(FLOOR, reached)
            for bucket, position in reached.items():
                if self._reached[bucket] == position:
                    del self._reached[bucket]
