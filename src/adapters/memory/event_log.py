"""The ordered log of events in memory."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import accumulate

from attrs import field, frozen

from ...application.event_log.records import UNBOUNDED, Address, EventTimes, LogRecord, Positions, shares


@frozen
class MemoryEventLog:
    records: dict[int, list[LogRecord]] = field(factory=lambda: defaultdict(list), init=False)
    histories: dict[str, list[LogRecord]] = field(factory=lambda: defaultdict(list), init=False)
    event_times: dict[str, list[EventTimes]] = field(factory=lambda: defaultdict(list), init=False)

    async def heads(self) -> Positions:
        return {bucket: len(records) for bucket, records in self.records.items() if records}

    async def read(
        self, after: Positions, *, limit: int, heads: Positions | None = None, max_bytes: int = UNBOUNDED
    ) -> Sequence[LogRecord]:
        wanted = shares(after, await self.heads() if heads is None else heads, limit)
        records = [record for bucket, at, share in wanted for record in self.records[bucket][at : at + share]]
        sizes = accumulate(len(record.body) for record in records)
        fitting = sum(1 for size in sizes if size <= max_bytes)
        return records[: max(1, fitting)]

    async def bodies(self, addresses: Collection[Address]) -> Mapping[Address, bytes]:
        log = self.records
        return {(b, at): log[b][at - 1].body for b, at in addresses if 0 < at <= len(log.get(b, ()))}

    async def since(self, moment: datetime) -> Positions:
        firsts = {
            bucket: next((record.position for record in records if record.occurred_at >= moment), 0)
            for bucket, records in self.records.items()
        }
        return {bucket: position for bucket, position in firsts.items() if position}

    async def history(self, order_id: str) -> Sequence[LogRecord]:
        return tuple(self.histories.get(order_id, ()))

    async def times(self, order_id: str) -> Sequence[EventTimes]:
        return tuple(self.event_times.get(order_id, ()))
