"""A topic in memory, for relays and readers without Kafka."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from ...application.event_log.records import BUCKETS, FIRST_EPOCH, LogRecord, UnrecognizedRecord, checksum_of
from ...application.noop import noop
from ...application.recovery.epochs import BEGINNING, Epochs
from ...application.recovery.restore_guard import Committed
from ...application.relay.ports import OnFlushed
from ...domain.errors import LogBehindTopic


@define(eq=False)
class MemoryTopic:
    """Keeps published records and the relay's cursors. It has one partition, which a test may shorten or compact."""

    buckets: int = BUCKETS
    shortened: bool = False
    compacted: bool = False
    records: list[LogRecord] = field(factory=list, init=False)
    _cursors: dict[int, int] = field(factory=dict, init=False)
    _marks: dict[int, int] = field(factory=dict, init=False)
    _epoch: int = field(default=FIRST_EPOCH, init=False)

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        if self._epoch > epochs.now:
            raise LogBehindTopic(0, 0, 0, f"the topic is in epoch {self._epoch}, the log only in {epochs.now}")
        if self._epoch < epochs.now:
            before, self._cursors = self._cursors, epochs.effective(self._cursors, self._epoch)
            self._marks = {b: mark for b, mark in self._marks.items() if before[b] == self._cursors[b]}
            self._epoch = epochs.now
        return {bucket: self._cursors.get(bucket) for bucket in range(self.buckets)}

    async def checksums(self) -> Mapping[int, int]:
        return dict(self._marks)

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        on_flushed()
        self.records.extend(record._replace(epoch=self._epoch) for record in records)
        last = {record.bucket: record for record in records}
        self._cursors.update({bucket: record.position for bucket, record in last.items()})
        self._marks.update({bucket: checksum_of(record.body) for bucket, record in last.items()})

    async def committed(self) -> Mapping[int, Committed]:
        return {bucket: Committed(at, self._marks.get(bucket), self._epoch, 0) for bucket, at in self._cursors.items()}

    async def close(self) -> None:
        """Do nothing."""

    @asynccontextmanager
    async def scan(self) -> AsyncIterator["MemoryScan"]:
        yield MemoryScan(self.records, len(self.records), (0,) if self.shortened else (), self.compacted)


@define
class MemoryScan:
    _records: Sequence[LogRecord]
    _end: int
    shortened: Collection[int] = ()
    compacted: bool = False
    partition: int = field(default=0, init=False)
    partitions: int = field(default=1, init=False)
    _next: int = field(default=0, init=False)

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        batch = self._records[self._next : min(self._end, self._next + limit)]
        self._next += len(batch)
        return batch
