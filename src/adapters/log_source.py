"""A consumer's records straight from the log, where no Kafka stands between."""

import asyncio
from collections.abc import Sequence
from time import monotonic

from attrs import define, field

from ..application.log import Foreign, LogRecord, Origin
from ..application.pausing import Gathering
from ..application.ports import Cursors, EventLog, Wakeup


@define(eq=False)
class LogEventSource:
    """Reads on from the consumer's own cursors; waits for news of commits, at most ``poll_interval`` seconds.

    It lets news gather while the last batch was not full, since a transaction costs much the same for one as for many.
    """

    log: EventLog
    committed: Cursors
    consumer: str
    wakeup: Wakeup
    poll_interval: float = 0.25
    gathering: Gathering = field(factory=lambda: Gathering(share=0.05, longest=1.0))
    _busy_since: float | None = field(default=None, init=False)
    _positions: dict[int, int] | None = field(default=None, init=False)

    async def read(self, limit: int) -> Sequence[LogRecord | Foreign]:
        if self._busy_since is not None:
            await asyncio.sleep(self.gathering.after(monotonic() - self._busy_since))
            self._busy_since = None
        if self._positions is None:
            self._positions = dict(await self.committed.positions(self.consumer))
        records = await self._news(limit)
        if not records:
            await self.wakeup.wait(self.poll_interval)
            records = await self._news(limit)
        for record in records:
            self._positions[record.bucket] = record.position
        self._busy_since = monotonic() if 0 < len(records) < limit else None
        return records

    async def done(self) -> None:
        """The cursors in the database moved with the effects; nothing else is noted."""

    async def rewind(self) -> None:
        self._positions = None

    def origin(self, _: LogRecord) -> Origin | None:
        """None: the log is no topic."""
        return None

    async def stand_by(self) -> None:
        """Its place is its own."""

    async def close(self) -> None:
        """Nothing is held."""

    async def _news(self, limit: int) -> Sequence[LogRecord]:
        at = self._positions or {}
        heads = await self.log.heads()
        behind = {bucket: at.get(bucket, 0) for bucket, head in heads.items() if head > at.get(bucket, 0)}
        return await self.log.read(behind, limit=limit) if behind else ()
