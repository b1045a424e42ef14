"""Detection of a restored database, by comparing the topic with the log."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from attrs import define, field, frozen

from ...domain.errors import LogBehindTopic, LogGap
from ..event_log.ports import Cursors, EventLog
from ..event_log.records import RELAY, Address, LogRecord, UnrecognizedRecord, checksum_of
from .epochs import Epochs, LogEpochs


@frozen
class Committed:
    """The position in a bucket that the relays have committed, and its epoch.

    ``checksum`` is of the event at it, if known. ``partition`` is the last one that the bucket was published to.
    """

    position: int
    checksum: int | None
    epoch: int
    partition: int


class RelayCursors(Protocol):
    """The cursors that the relays keep in Kafka."""

    async def committed(self) -> Mapping[int, Committed]:
        """Return the last commit of each bucket, without joining the relays' group. Raises StreamUnavailable."""
        ...


def effective(committed: Mapping[int, Committed], epochs: Epochs) -> dict[Address, int | None]:
    """Return the valid part of the relays' cursors: the addresses, and the checksums of the events there."""
    found: dict[Address, int | None] = {}
    for bucket, at in committed.items():
        position = epochs.effective({bucket: at.position}, at.epoch)[bucket]
        if position:
            found[bucket, position] = at.checksum if position == at.position else None
    return found


async def mismatches(log: EventLog, checksums: Mapping[Address, int | None]) -> Sequence[Address]:
    """Return the addresses at which the log has no event, or one with another checksum. Raises StorageUnavailable."""
    bodies = await log.bodies(checksums)
    return [
        address
        for address, checksum in checksums.items()
        if (body := bodies.get(address)) is None or checksum not in (None, checksum_of(body))
    ]


@frozen
class MissedEvents:
    """Find events on the topic that an idle consumer has missed.

    A consumer misses events if the database was restored together with its cursors, or lost its last commits in a
    failover. ``heard_out`` returns the partitions that are assigned to this consumer and that it has read to their end.
    Other partitions are not checked: their events are another consumer's, or are still to come.
    """

    consumer: str
    relays: RelayCursors
    log: EventLog
    epochs: LogEpochs
    cursors: Cursors
    heard_out: Callable[[], Awaitable[Collection[int]]]

    async def __call__(self) -> LogGap | None:
        """Return the missed events of one bucket, or None.

        Raises LogBehindTopic if the topic has events that the log does not have; StorageUnavailable, StreamUnavailable.
        """
        committed = await self.relays.committed()
        known = await self.epochs.all()
        newest = max((at.epoch for at in committed.values()), default=known.now)
        if newest > known.now:
            await self.log.bodies([(0, 1)])  # raises StorageUnavailable on a server that may lack an epoch
            raise LogBehindTopic(0, 0, 0, f"the topic is in epoch {newest}, the log only in {known.now}")
        valid = effective(committed, known)
        for bucket, at in await mismatches(self.log, valid):
            raise LogBehindTopic(bucket, at, at, f"at position {at} the topic has an event that the log does not have")
        handled = await self.cursors.positions(self.consumer)
        if behind := [(bucket, at) for bucket, at in valid if at > handled.get(bucket, 0)]:
            heard_out = await self.heard_out()
            for bucket, at in behind:
                if committed[bucket].partition in heard_out:
                    return LogGap(self.consumer, bucket, handled.get(bucket, 0), at + 1)
        # Cursors that only the database has are of a topic that was deleted.
        for bucket, at in (await self.cursors.positions(RELAY)).items():
            if at > (cursor := handled.get(bucket, 0)) and bucket not in committed:
                return LogGap(self.consumer, bucket, cursor, at + 1)
        return None


@define(eq=False)
class RestoreGuard:
    """Detects from the topic that the database was restored to an earlier point."""

    log: EventLog
    epochs: LogEpochs
    _known: Epochs | None = field(default=None, init=False)

    async def effective(
        self, records: Sequence[LogRecord | UnrecognizedRecord]
    ) -> Sequence[LogRecord | UnrecognizedRecord]:
        """Return ``records`` without those that a later epoch supersedes.

        Raises LogBehindTopic for a record of an unknown epoch; StorageUnavailable.
        """
        newest = max((each.epoch for each in records if isinstance(each, LogRecord)), default=0)
        if self._known is None or newest > self._known.now:
            self._known = await self.epochs.all()
        known = self._known
        if newest > known.now:
            record = next(each for each in records if isinstance(each, LogRecord) and each.epoch == newest)
            await self.log.bodies([record.address])  # raises StorageUnavailable on a server that may lack an epoch
            problem = f"the topic is in epoch {newest}, the log only in {known.now}"
            raise LogBehindTopic(record.bucket, record.position, record.position, problem)
        if not known.begun:
            return records
        return [each for each in records if isinstance(each, UnrecognizedRecord) or not known.superseded(each)]

    async def verify(self, records: Sequence[LogRecord]) -> bool:
        """Check that the log has ``records``, which are in order in each bucket.

        If the log has the last record of a bucket it has those before, so only the last ones are read. Returns False if
        an epoch was begun meanwhile; then the caller repeats the check. Raises LogBehindTopic if the log does not have
        them, StorageUnavailable.
        """
        last = {record.bucket: record for record in records}
        bodies = await self.log.bodies([record.address for record in last.values()])
        unknown = [record for record in last.values() if bodies.get(record.address) != record.body]
        if not unknown:
            return True
        before, self._known = self._known, await self.epochs.all()
        if self._known != before:
            return False
        record = unknown[0]
        has = "another event" if record.address in bodies else "none"
        problem = f"the topic has an event of order {record.order_id} at position {record.position}, and the log {has}"
        raise LogBehindTopic(record.bucket, record.position, record.position, problem)
