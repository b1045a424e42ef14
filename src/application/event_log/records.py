"""The ordered log's vocabulary: an event's address, its record, and positions by bucket."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from attrs import field, frozen

from ...domain.events import OrderEvent
from ..request_context import IDENTIFIED

BUCKETS = 256
"""How many buckets a new database gets; fixed from then on."""


EVENT_LIMIT = 950_000
"""Bytes that an event may have: what Kafka's client takes by default (1,000,000), with EVENT_ROOM beside it."""


EVENT_ROOM = 50_000
"""Bytes for a record's key and headers, and for what Kafka puts around it."""


RELAY = "relay"
"""The reader name under which the relay's cursors are also noted in the database."""


FIRST_EPOCH = 1


Address = tuple[int, int]
"""Bucket and position."""


Positions = Mapping[int, int]
"""Bucket to position; a bucket that is not named stands at 0, before its first event."""


def bucket_of(order_id: str, buckets: int = BUCKETS) -> int:
    """The bucket of an order: CRC-32 (IEEE) of its id in UTF-8, modulo ``buckets``. All its events share it."""
    return crc32(order_id.encode()) % buckets


class LogRecord(NamedTuple):
    """One event as the log keeps it: its address, what must be known without opening it, and its bytes.

    ``position`` is dense from 1 within ``bucket``, in commit order; ``sequence`` is dense from 1 within the order.
    ``body`` are the exact bytes of the record's value on the topic. ``epoch`` is the log's when it was published; the
    log itself does not keep it. Logs read millions of them: hence a tuple, which sorts by its address, and
    adapters that give and take the attributes by their order here; elsewhere they are named.
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
    """Eighteen bits by which the events of two logs at one address are told apart: the lowest of their CRC-32."""
    return crc32(body) & 0x3FFFF


@frozen
class EventTimes:
    """When a door heard of the command that an event of an order came of, and when the event was appended to the log.

    The first is by the clock of the process that was asked, the second by the database's, just before its commit.
    None of an event that was not asked for at a door, or was written before these were kept.
    """

    sequence: int
    requested_at: datetime | None
    committed_at: datetime | None


@frozen
class Origin:
    """The record of a topic that an event was read from."""

    topic: str
    partition: int
    offset: int


@frozen
class RecordLocation:
    """Where an event stands on the topic, and the time of its record: when whoever published it handed it over."""

    topic: str
    partition: int
    offset: int
    at: datetime


@frozen
class CursorAt:
    """A reader's position in one bucket, and when it came there, by the clock of the process that moved it."""

    reader: str
    position: int
    moved_at: datetime


def shares(after: Positions, heads: Positions, limit: int) -> list[tuple[int, int, int]]:
    """(bucket, position to read after, how many) for at most ``limit`` records in all.

    Every bucket with news gets an equal share and what others leave of theirs; where there are more such buckets
    than ``limit``, those farthest behind come first, so that one that waits is served in the end.
    """
    behind = {bucket: heads.get(bucket, 0) - at for bucket, at in after.items() if heads.get(bucket, 0) > at}
    served = sorted(behind, key=lambda bucket: (-behind[bucket], bucket))[:limit]
    found = []
    left = limit
    for waiting, bucket in zip(range(len(served), 0, -1), reversed(served), strict=True):
        share = min(behind[bucket], left // waiting)
        left -= share
        found.append((bucket, after[bucket], share))
    return found


@frozen
class Delivery:
    """A record together with the event that its bytes say."""

    record: LogRecord
    event: OrderEvent


@frozen(kw_only=True)
class UnrecognizedRecord:
    """A record on the topic that is none of ours: no address, or bytes that are no event. Set aside, never lost."""

    topic: str
    partition: int
    offset: int
    key: bytes = field(repr=False)
    value: bytes = field(repr=False)
    headers: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    problem: str = ""


async def all_buckets() -> int:
    """The share of those whom nobody asked to hold anything back."""
    return BUCKETS


def about(record: LogRecord) -> dict[str, object]:
    """What a line says of an event."""
    return {
        "correlation_id": record.correlation_id,
        "trace_id": record.traceparent[IDENTIFIED],
        "order_id": record.order_id,
        "event_id": record.event_id,
        "type": record.type,
        "sequence": record.sequence,
    }
