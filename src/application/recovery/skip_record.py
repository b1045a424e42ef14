"""Skip one record of the topic that is not an event of the log."""

from collections.abc import Collection
from typing import Protocol

from attrs import frozen

from ...domain.errors import Conflict, InvalidInput, NotFound
from ..clock import Clock
from ..event_log.ports import EventLog
from ..event_log.records import LogRecord, Origin, UnrecognizedRecord
from ..operator_note import OperatorNote
from .epochs import LogEpochs

Places = Collection[tuple[int, int]]
"""Partitions and offsets."""


async def no_places(_: str) -> Places:
    """Return no places: the default where no records can be skipped."""
    return ()


class SkippedRecords(Protocol):
    """The storage of skipped records. All methods raise StorageUnavailable."""

    async def places(self, topic: str) -> Places:
        """Return the places of the records of ``topic`` that are skipped."""
        ...

    async def skip(self, record: Origin, note: OperatorNote) -> bool:
        """Skip ``record``, and record the note, in one transaction. Return False if it is skipped already."""
        ...


class RecordReader(Protocol):
    """Reads single records of the topic."""

    async def record_at(self, partition: int, offset: int) -> LogRecord | UnrecognizedRecord | None:
        """Return the record, or None if there is none, or no committed one. Raises StreamUnavailable."""
        ...


@frozen
class SkipRecord:
    """Skip a record of ``topic``: readers treat it as an unrecognized record, whatever it claims to be.

    Raises InvalidInput, NotFound; Conflict if it is a valid event of the log, or skipped already; Unavailable.
    """

    topic: str
    reader: RecordReader
    log: EventLog
    epochs: LogEpochs
    skipped: SkippedRecords
    clock: Clock

    async def __call__(self, partition: int, offset: int, *, by: str, reason: str) -> Origin:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        for name, number in (("partition", partition), ("offset", offset)):
            if not 0 <= number < 2**31 * (2**32 if name == "offset" else 1):
                raise InvalidInput(name, f"it is {number}", "a whole number of 0 or more")
        place = Origin(self.topic, partition, offset)
        record = await self.reader.record_at(partition, offset)
        if record is None:
            raise NotFound("record", str(place))
        if isinstance(record, LogRecord) and await self._is_of_log(record):
            raise Conflict(f"it is event {record.sequence} of order {record.order_id}, which consumers need")
        if not await self.skipped.skip(place, note):
            raise Conflict("it is skipped already")
        return place

    async def _is_of_log(self, record: LogRecord) -> bool:
        """Return whether the log has this event. Repeated and superseded records are the log's, too."""
        if record.epoch > (await self.epochs.all()).now:
            return False
        return (await self.log.bodies([record.address])).get(record.address) == record.body
