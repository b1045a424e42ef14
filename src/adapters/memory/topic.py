"""A topic in RAM: the relay's way out and any reader's way in, without Kafka."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from ...application.log import BUCKETS, Foreign, LogRecord


@define(eq=False)
class MemoryTopic:
    """Keeps what was published, each record once, with the cursors that moved along."""

    buckets: int = BUCKETS
    records: list[LogRecord] = field(factory=list, init=False)
    _cursors: dict[int, int] = field(factory=dict, init=False)

    async def cursors(self) -> Mapping[int, int | None]:
        return {bucket: self._cursors.get(bucket) for bucket in range(self.buckets)}

    async def publish(self, records: Sequence[LogRecord]) -> None:
        self.records.extend(records)
        self._cursors.update({record.bucket: record.position for record in records})

    async def close(self) -> None:
        """Nothing to leave."""

    @asynccontextmanager
    async def scan(self) -> AsyncIterator["MemoryScan"]:
        yield MemoryScan(self.records, len(self.records))


@define
class MemoryScan:
    _records: Sequence[LogRecord]
    _end: int
    _next: int = 0

    async def read(self, limit: int) -> Sequence[LogRecord | Foreign]:
        batch = self._records[self._next : min(self._end, self._next + limit)]
        self._next += len(batch)
        return batch
