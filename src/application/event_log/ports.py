"""The ports of the event log: reading it, keeping cursors over it, waking its readers, and reading the topic."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from ...domain.events import OrderEvent
from .records import UNBOUNDED, Address, CursorAt, EventTimes, LogRecord, Positions, UnrecognizedRecord


class EventLog(Protocol):
    """Reads the ordered log."""

    async def heads(self) -> Positions:
        """Return the last position of every bucket that has one, in one query, however long the history."""
        ...

    async def read(
        self, after: Positions, *, limit: int, heads: Positions | None = None, max_bytes: int = UNBOUNDED
    ) -> Sequence[LogRecord]:
        """Return committed records of the buckets in ``after``, each bucket's in order and without a gap.

        They are at most ``limit``, and their bodies have at most ``max_bytes`` together; but a larger one comes alone.
        No bucket starves another. With ``heads``, as they were read before, nothing after them is returned, and a
        query less is needed.
        """
        ...

    async def bodies(self, addresses: Collection[Address]) -> Mapping[Address, bytes]:
        """Return the bytes of the events at these addresses; addresses that the log does not have are left out.

        What is left out is a proof. Raises StorageUnavailable if the server is not the primary, so that it may lack
        events that another one has.
        """
        ...

    async def since(self, moment: datetime) -> Positions:
        """Return for each bucket the first position whose event happened at ``moment`` or later, if there is one.

        The cost grows with the log.
        """
        ...

    async def history(self, order_id: str) -> Sequence[LogRecord]:
        """Return all records of one order by sequence; empty if there is no such order."""
        ...

    async def times(self, order_id: str) -> Sequence[EventTimes]:
        """Return when each event of one order was requested and appended, by sequence."""
        ...


class Cursors(Protocol):
    """Keeps the cursors of the log's readers: a position per bucket."""

    async def positions(self, reader: str) -> Positions: ...

    async def put(self, reader: str, positions: Positions) -> None:
        """Store ``positions``. A cursor never goes back, and other buckets stay as they are."""
        ...

    async def begin(self, reader: str, positions: Positions) -> None:
        """Store ``positions`` where the reader has none. Of several that begin at once, the first determines them."""
        ...

    async def readers(self) -> Sequence[str]: ...

    async def at(self, bucket: int) -> Sequence[CursorAt]:
        """Return the cursor of every reader in ``bucket``, and since when, by reader."""
        ...


class Wakeup(Protocol):
    """Wakes loops that poll, on commits here or in other processes. It is a hint: a wakeup may be lost."""

    def notify(self) -> None: ...

    async def wait(self, at_most: float) -> None:
        """Wait for a notification since the last wait returned, or ``at_most`` seconds."""
        ...


class Decode(Protocol):
    """Decodes records."""

    def __call__(self, record: LogRecord) -> OrderEvent:
        """Return the event of the record. Raises UndecodableEvent."""
        ...


class TopicReader(Protocol):
    """Reads the whole topic, read committed, for checks and for display."""

    def scan(self) -> AbstractAsyncContextManager["TopicScan"]: ...


class TopicScan(Protocol):
    """One pass over the topic, one partition after the other."""

    @property
    def partition(self) -> int:
        """The partition of the records that were read last."""
        ...

    @property
    def partitions(self) -> int:
        """The number of partitions."""
        ...

    @property
    def shortened(self) -> Collection[int]:
        """The partitions from whose beginning records were deleted."""
        ...

    @property
    def compacted(self) -> bool:
        """True if the topic may delete any record that is not the last of its key."""
        ...

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        """Return the next records in partition order; empty at the end that the topic had when the scan began."""
        ...
