"""The source of a consumer that reads the log itself, without Kafka."""

from collections.abc import Sequence

from attrs import define, field

from ..event_log.ports import Cursors, EventLog, Wakeup
from ..event_log.records import LogRecord, Origin, UnrecognizedRecord, unread


@define(eq=False)
class LogEventSource:
    """Reads from the consumer's cursors; without new events, waits for a commit, at most ``poll_interval`` seconds.

    While there are none, it looks once for each wait.
    """

    log: EventLog
    committed: Cursors
    consumer: str
    wakeup: Wakeup
    poll_interval: float = 0.25
    _positions: dict[int, int] | None = field(default=None, init=False)
    _was_empty: bool = field(default=False, init=False)

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        if self._positions is None:
            self._positions = dict(await self.committed.positions(self.consumer))
            self._was_empty = False
        records = () if self._was_empty else await self._unread(limit)
        if not records:
            await self.wakeup.wait(self.poll_interval)
            records = await self._unread(limit)
        self._was_empty = not records
        for record in records:
            self._positions[record.bucket] = record.position
        return records

    async def done(self) -> None:
        """Do nothing: the cursors were committed with the effects."""

    async def rewind(self) -> None:
        self._positions = None

    def origin(self, _: LogRecord) -> Origin | None:
        """Return None: the log is not a topic."""
        return None

    async def pause(self) -> None:
        """Do nothing: there is no group to stay in."""

    async def close(self) -> None:
        """Do nothing: nothing is open."""

    async def _unread(self, limit: int) -> Sequence[LogRecord]:
        heads = await self.log.heads()
        behind = unread(self._positions or {}, heads)
        return await self.log.read(behind, limit=limit, heads=heads) if behind else ()
