"""Holds what the topic says to what the log says, for those who act on the topic."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from attrs import define, field, frozen

from ...domain.errors import LogBehindTopic, LogGap
from ..event_log.ports import Cursors, EventLog
from ..event_log.records import RELAY, Address, LogRecord, UnrecognizedRecord, checksum_of
from .epochs import Epochs, LogEpochs


@frozen
class Committed:
    """How far relays had come in a bucket, in that epoch; ``mark`` is that of the event there, where it was kept.

    ``partition`` is the one that the bucket was published to last.
    """

    position: int
    mark: int | None
    epoch: int
    partition: int


class RelayCursors(Protocol):
    async def committed(self) -> Mapping[int, Committed]:
        """What the relays committed last, by bucket, without becoming one of them. Raises StreamUnavailable."""
        ...


def standing(committed: Mapping[int, Committed], epochs: Epochs) -> dict[Address, int | None]:
    """What counts of what the relays committed: the addresses that they had come to, with the marks there."""
    found: dict[Address, int | None] = {}
    for bucket, at in committed.items():
        position = epochs.standing({bucket: at.position}, at.epoch)[bucket]
        if position:
            found[bucket, position] = at.mark if position == at.position else None
    return found


async def mismatches(log: EventLog, marks: Mapping[Address, int | None]) -> Sequence[Address]:
    """Those of these addresses at which the log has no event, or one with another mark. Raises StorageUnavailable."""
    bodies = await log.bodies(marks)
    return [
        address
        for address, mark in marks.items()
        if (body := bodies.get(address)) is None or mark not in (None, checksum_of(body))
    ]


@frozen
class MissedEvents:
    """Whether the topic has more for a consumer than it has handled: one that hears nothing may have lost its place.

    So it is where the database was restored together with the cursors, or lost its last moments in a failover.
    ``heard_out`` are the partitions that are this consumer's now and that it has read to their end: what others are to
    hear is not missed here, and what stands behind an open transaction, or is on its way after an outage, comes yet.
    """

    consumer: str
    relays: RelayCursors
    log: EventLog
    epochs: LogEpochs
    cursors: Cursors
    heard_out: Callable[[], Awaitable[Collection[int]]]

    async def __call__(self) -> LogGap | None:
        """What it has not handled of one bucket; None where there is nothing.

        Raises LogBehindTopic where the topic has what the log has not; StorageUnavailable, StreamUnavailable.
        """
        committed = await self.relays.committed()
        known = await self.epochs.all()
        newest = max((at.epoch for at in committed.values()), default=known.now)
        if newest > known.now:
            raise LogBehindTopic(0, 0, 0, f"the topic is in epoch {newest}, the log only in {known.now}")
        counting = standing(committed, known)
        for bucket, at in await mismatches(self.log, counting):
            raise LogBehindTopic(bucket, at, at, f"at position {at} the topic has an event that the log has not")
        handled = await self.cursors.positions(self.consumer)
        if behind := [(bucket, at) for bucket, at in counting if at > handled.get(bucket, 0)]:
            heard_out = await self.heard_out()
            for bucket, at in behind:
                if committed[bucket].partition in heard_out:
                    return LogGap(self.consumer, bucket, handled.get(bucket, 0), at + 1)
        # What the database noted, and Kafka knows nothing of, was on a topic that is gone.
        for bucket, at in (await self.cursors.positions(RELAY)).items():
            if at > (cursor := handled.get(bucket, 0)) and bucket not in committed:
                return LogGap(self.consumer, bucket, cursor, at + 1)
        return None


@define(eq=False)
class RestoreGuard:
    """Of a database that was restored to an earlier point the topic tells what its log does not have."""

    log: EventLog
    epochs: LogEpochs
    _known: Epochs | None = field(default=None, init=False)

    async def counting(
        self, records: Sequence[LogRecord | UnrecognizedRecord]
    ) -> Sequence[LogRecord | UnrecognizedRecord]:
        """``records`` without those that a later epoch superseded.

        Raises LogBehindTopic for one of an epoch that the log does not know; StorageUnavailable.
        """
        newest = max((each.epoch for each in records if isinstance(each, LogRecord)), default=0)
        if self._known is None or newest > self._known.now:
            self._known = await self.epochs.all()
        known = self._known
        if newest > known.now:
            of_it = next(each for each in records if isinstance(each, LogRecord) and each.epoch == newest)
            told = f"the topic is in epoch {newest}, the log only in {known.now}"
            raise LogBehindTopic(of_it.bucket, of_it.position, of_it.position, told)
        if not known.begun:
            return records
        return [each for each in records if isinstance(each, UnrecognizedRecord) or not known.superseded(each)]

    async def agree(self, records: Sequence[LogRecord]) -> bool:
        """Whether the log has ``records``, each bucket's in order; False: look again, for an epoch was begun meanwhile.

        Where it has the last of a bucket it has those before, so one look at the last ones is enough.
        Raises LogBehindTopic where it has not, StorageUnavailable.
        """
        last = {record.bucket: record for record in records}
        bodies = await self.log.bodies([record.address for record in last.values()])
        strange = [record for record in last.values() if bodies.get(record.address) != record.body]
        if not strange:
            return True
        before, self._known = self._known, await self.epochs.all()
        if self._known != before:
            return False
        record = strange[0]
        has = "another event" if record.address in bodies else "none"
        told = f"the topic has an event of order {record.order_id} at position {record.position}, and the log {has}"
        raise LogBehindTopic(record.bucket, record.position, record.position, told)
