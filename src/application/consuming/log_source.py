"""A consumer's records straight from the log, where no Kafka stands between."""

from collections.abc import Sequence

from attrs import define, field

from ..event_log.ports import Cursors, EventLog, Wakeup
from ..event_log.records import LogRecord, Origin, UnrecognizedRecord


@define(eq=False)
class LogEventSource:
    """Reads on from the consumer's own cursors; waits for news of commits, at most ``poll_interval`` seconds."""

    log: EventLog
    committed: Cursors
    consumer: str
    wakeup: Wakeup
    poll_interval: float = 0.25
    _positions: dict[int, int] | None = field(default=None, init=False)

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        if self._positions is None:
            self._positions = dict(await self.committed.positions(self.consumer))
        records = await self._news(limit)
        if not records:
            await self.wakeup.wait(self.poll_interval)
            records = await self._news(limit)
        for record in records:
            self._positions[record.bucket] = record.position
        return records

    async def done(self) -> None:
        """The cursors in the database moved with the effects; nothing else is noted."""

    async def rewind(self) -> None:
        self._positions = None

    def origin(self, _: LogRecord) -> Origin | None:
        """None: the log is no topic."""
        return None

    async def pause(self) -> None:
        """Its place is its own."""

    async def close(self) -> None:
        """Nothing is held."""

    async def _news(self, limit: int) -> Sequence[LogRecord]:
        at = self._positions or {}
        heads = await self.log.heads()
        behind = {bucket: at.get(bucket, 0) for bucket, head in heads.items() if head > at.get(bucket, 0)}
        return await self.log.read(behind, limit=limit) if behind else ()
