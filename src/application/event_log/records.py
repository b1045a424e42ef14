"""The values of the ordered log: an event's address, its record, and positions by bucket."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from attrs import field, frozen

from ...domain.events import OrderEvent
from ..request_context import IDENTIFIED

BUCKETS = 256
"""Buckets of a new database; the number never changes afterwards."""

EVENT_LIMIT = 950_000
"""Bytes that an event may have: the default limit of Kafka's client (1,000,000) less EVENT_ROOM."""

EVENT_ROOM = 50_000
"""Bytes for a record's key and headers, and for Kafka's own framing."""

UNBOUNDED = 2**62
"""Bytes, more than any log has."""

RELAY = "relay"
"""The reader name of the relay's cursors in the database."""
FIRST_EPOCH = 1

Address = tuple[int, int]
"""Bucket and position."""
Positions = Mapping[int, int]
"""Bucket to position; a missing bucket is at 0, before its first event."""


def bucket_of(order_id: str, buckets: int = BUCKETS) -> int:
    """Return the bucket of an order and all its events: CRC-32 (IEEE) of its id in UTF-8, modulo ``buckets``."""
    return crc32(order_id.encode()) % buckets


class LogRecord(NamedTuple):
    """One event in the log: its address, the fields that are read without decoding it, and its bytes.

    ``position`` is dense from 1 within ``bucket``, in commit order; ``sequence`` is dense from 1 within the order.
    ``body`` are the exact bytes of the record's value on the topic. ``epoch`` is the log's when it was published; the
    log itself does not keep it. It is a tuple because a log has millions of them; it sorts by its address. Adapters
    pass the fields by position, all other code by name.
    """

    bucket: int
    position: int
    order_id: str
    sequence: int
    type: str
    event_id: str
    occurred_at: datetime
    body: bytes
    correlation_id: str = ""
    traceparent: str = ""
    epoch: int = FIRST_EPOCH

    @property
    def address(self) -> Address:
        return self.bucket, self.position


def checksum_of(body: bytes) -> int:
    """Return the lowest eighteen bits of the CRC-32 of ``body``: they differ if two logs differ at an address."""
    return crc32(body) & 0x3FFFF


@frozen
class EventTimes:
    """The times of an event: when its command was requested, and when it was appended to the log.

    The first is by the clock of the process that received the command, the second by the database's, just before the
    commit. Both are None for events older than these columns; the first also for commands from inside the process.
    """

    sequence: int
    requested_at: datetime | None
    committed_at: datetime | None


@frozen
class Origin:
    """The place of a record on a topic."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic} partition {self.partition} offset {self.offset}"


@frozen
class RecordLocation:
    """The record of an event on the topic, and its timestamp, which the publisher set."""

    topic: str
    partition: int
    offset: int
    at: datetime


@frozen
class CursorAt:
    """A reader's position in one bucket, and since when, by the clock of the process that moved it."""

    reader: str
    position: int
    moved_at: datetime


def unread(after: Positions, heads: Positions) -> dict[int, int]:
    """Return the positions ``after`` which to read on, of the buckets that have records up to ``heads``."""
    return {bucket: after.get(bucket, 0) for bucket, head in heads.items() if head > after.get(bucket, 0)}


def shares(after: Positions, heads: Positions, limit: int) -> list[tuple[int, int, int]]:
    """Return (bucket, position to read after, number of records) for at most ``limit`` records in all.

    Every bucket with new records gets an equal share, and what others leave of theirs. If there are more such buckets
    than ``limit``, those farthest behind are served, so each is served in the end. The farthest behind come first.
    """
    behind = {bucket: heads.get(bucket, 0) - at for bucket, at in after.items() if heads.get(bucket, 0) > at}
    served = sorted(behind, key=lambda bucket: (-behind[bucket], bucket))[:limit]
    result = []
    left = limit
    for waiting, bucket in zip(range(len(served), 0, -1), reversed(served), strict=True):
        share = min(behind[bucket], left // waiting)
        left -= share
        result.append((bucket, after[bucket], share))
    return result[::-1]


@frozen
class Delivery:
    """A record and its decoded event."""

    record: LogRecord
    event: OrderEvent


@frozen(kw_only=True)
class UnrecognizedRecord:
    """A record on the topic that is not an event of this log: it has no address, or its bytes are no event.

    Also one that an operator has ``skipped``. Of a long key, value or list of headers only the beginning is kept.
    """

    topic: str
    partition: int
    offset: int
    key: bytes = field(repr=False)
    value: bytes = field(repr=False)
    headers: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    problem: str = ""
    skipped: bool = False


async def all_buckets() -> int:
    """Return the number of all buckets: the default where no share is configured."""
    return BUCKETS


def event_fields(record: LogRecord) -> dict[str, object]:
    """Return the fields of a log line that identify an event."""
    return {
        "correlation_id": record.correlation_id,
        "trace_id": record.traceparent[IDENTIFIED],
        "order_id": record.order_id,
        "event_id": record.event_id,
        "type": record.type,
        "sequence": record.sequence,
    }
