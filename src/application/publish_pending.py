"""What stands in the log and not yet on the topic is brought there."""

from attrs import field, frozen

from ..domain.errors import LogBehindTopic
from .log import Positions
from .ports import Cursors, EventLog, RelayTopic

BATCH = 4000
"""Events a transaction: its fixed cost, some round trips, is then small beside theirs."""
FLOOR = "relay"
"""The reader name under which the relay's cursors are also noted in the database."""


@frozen
class PublishPending:
    """One batch of the buckets that are this relay's now, exactly once and in order; how many events it was.

    Kafka's cursors decide. A bucket that Kafka has no cursor for goes on from the floor in the database, and a
    Kafka cursor ahead of the log means that the log was restored: LogBehindTopic, and nothing is published.
    Raises StreamUnavailable, StorageUnavailable, LogBehindTopic.
    """

    log: EventLog
    topic: RelayTopic
    cursors: Cursors
    batch: int = BATCH
    _known: dict[int, int] = field(factory=dict, init=False, eq=False)
    _reached: dict[int, int] = field(factory=dict, init=False, eq=False)

    async def __call__(self) -> int:
        own = await self.topic.cursors()
        if not own:
            return 0
        heads = await self.log.heads()
        self._seen({bucket: at for bucket, at in own.items() if at is not None})
        unknown = any(at is None and heads.get(bucket, 0) for bucket, at in own.items())
        floor = await self.cursors.positions(FLOOR) if unknown else {}
        after = {bucket: floor.get(bucket, 0) if at is None else at for bucket, at in own.items()}
        for bucket, position in after.items():
            if position > heads.get(bucket, 0):
                raise LogBehindTopic(bucket, heads.get(bucket, 0), position)
        behind = {bucket: position for bucket, position in after.items() if heads.get(bucket, 0) > position}
        if not behind:
            return 0
        records = await self.log.read(behind, limit=self.batch)
        await self.topic.publish(records)
        self._seen({record.bucket: record.position for record in records})
        return len(records)

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
