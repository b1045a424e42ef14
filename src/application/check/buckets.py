"""Reads the log in pieces that fit in memory: some whole buckets at a time."""

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType

from ...domain.errors import UndecodableEvent
from ...domain.events import OrderEvent
from ..event_log.ports import Decode, EventLog
from ..event_log.records import LogRecord, Positions, unread

EVENTS_AT_ONCE = 20_000
"""Events that are kept in memory."""
PAGE = 2_000


Decoded = Sequence[tuple[LogRecord, OrderEvent | UndecodableEvent]]
"""Records, each with its event or the error of decoding it."""


def groups(heads: Positions) -> Iterator[dict[int, int]]:
    """Split ``heads`` into groups of buckets with about EVENTS_AT_ONCE events; a larger bucket is alone."""
    group: dict[int, int] = {}
    for bucket, head in sorted(heads.items()):
        if group and sum(group.values()) + head > EVENTS_AT_ONCE:
            yield group
            group = {}
        group[bucket] = head
    if group:
        yield group


async def read_until(log: EventLog, until: Positions, after: Positions = MappingProxyType({})) -> Sequence[LogRecord]:
    """Read the records of these buckets ``after`` these positions up to those, each bucket's in order."""
    at = unread(after, until)
    result: list[LogRecord] = []
    while at and (records := await log.read(at, limit=PAGE)):
        for record in records:
            at[record.bucket] = record.position
            if record.position <= until[record.bucket]:
                result.append(record)
        at = {bucket: position for bucket, position in at.items() if position < until[bucket]}
    return result


def decoded(records: Iterable[LogRecord], decode: Decode) -> Decoded:
    """Decode each of ``records``."""
    result: list[tuple[LogRecord, OrderEvent | UndecodableEvent]] = []
    for record in records:
        try:
            result.append((record, decode(record)))
        except UndecodableEvent as e:
            result.append((record, e))
    return result
