"""The positions of the log's readers in memory."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from attrs import field, frozen

from ...application.event_log.records import CursorAt, Positions


@frozen
class MemoryCursors:
    cursors: dict[str, dict[int, int]] = field(factory=lambda: defaultdict(dict), init=False)
    _moved: dict[tuple[str, int], datetime] = field(factory=dict, init=False)

    async def positions(self, reader: str) -> Positions:
        return dict(self.cursors.get(reader, {}))

    async def put(self, reader: str, positions: Positions) -> None:
        cursors = self.cursors[reader]
        for bucket, position in positions.items():
            if position > cursors.get(bucket, -1):
                cursors[bucket] = position
                self._moved[reader, bucket] = datetime.now(UTC)

    async def begin(self, reader: str, positions: Positions) -> None:
        known = self.cursors[reader]
        await self.put(reader, {bucket: at for bucket, at in positions.items() if bucket not in known})

    async def readers(self) -> Sequence[str]:
        return sorted(reader for reader, cursors in self.cursors.items() if cursors)

    async def at(self, bucket: int) -> Sequence[CursorAt]:
        return [
            CursorAt(reader, self.cursors[reader][bucket], self._moved[reader, bucket])
            for reader in await self.readers()
            if bucket in self.cursors[reader]
        ]
