"""TODO."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ...domain.events import OrderEvent
from .records import Address, CursorAt, EventTimes, LogRecord, Positions, UnrecognizedRecord

if TYPE_CHECKING:
    pass


class EventLog(Protocol):
    """Reading the ordered log."""

    async def heads(self) -> Positions:
        """The last position of every bucket that has any; one look, however long the history."""
        ...

    async def read(self, after: Positions, *, limit: int) -> Sequence[LogRecord]:
        """Committed records of the buckets named in ``after``, each bucket's in order and without a gap.

        At most ``limit``; no bucket that has news starves another.
        """
        ...

    async def bodies(self, addresses: Collection[Address]) -> Mapping[Address, bytes]:
        """The bytes of the events at these addresses; one that the log does not have is left out."""
        ...

    async def since(self, moment: datetime) -> Positions:
        """In each bucket the first position whose event happened at ``moment`` or later; others are not named.

        What it costs grows with the log.
        """
        ...

    async def history(self, order_id: str) -> Sequence[LogRecord]:
        """All records of one order by sequence; empty when there is no such order."""
        ...

    async def times(self, order_id: str) -> Sequence[EventTimes]:
        """When each event of one order was asked for and appended, by sequence."""
        ...


class Cursors(Protocol):
    """How far each reader of the log has come, a position per bucket."""

    async def positions(self, reader: str) -> Positions: ...

    async def put(self, reader: str, positions: Positions) -> None:
        """Note ``positions``; a bucket never goes back. Other buckets stay as they are."""
        ...

    async def readers(self) -> Sequence[str]: ...

    async def at(self, bucket: int) -> Sequence[CursorAt]:
        """Where every reader that has come to ``bucket`` stands in it, and since when, by reader."""
        ...


class Wakeup(Protocol):
    """News of commits, here or in other processes, for those who would otherwise poll. Nobody rests on it."""

    def notify(self) -> None: ...

    async def wait(self, at_most: float) -> None:
        """Until notified since the last wait returned, or ``at_most`` seconds."""
        ...


class Decode(Protocol):
    def __call__(self, record: LogRecord) -> OrderEvent:
        """The event that the record's bytes say. Raises UndecodableEvent."""
        ...


class TopicReader(Protocol):
    """The whole topic as any read-committed consumer sees it, for checks and for looking."""

    def scan(self) -> AbstractAsyncContextManager["TopicScan"]: ...


class TopicScan(Protocol):
    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        """The next records in partition order; empty when the end that stood when the scan began is reached."""
        ...
