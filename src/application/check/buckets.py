"""The log in pieces that fit in memory: some buckets at a time, whole."""

from collections.abc import Iterator, Sequence

from ..event_log.ports import EventLog
from ..event_log.records import LogRecord, Positions

EVENTS_AT_ONCE = 20_000
PAGE = 2_000


def groups(heads: Positions) -> Iterator[dict[int, int]]:
    """``heads`` in groups of buckets with about EVENTS_AT_ONCE events together; a larger bucket stands alone."""
    group: dict[int, int] = {}
    for bucket, head in sorted(heads.items()):
        if group and sum(group.values()) + head > EVENTS_AT_ONCE:
            yield group
            group = {}
        group[bucket] = head
    if group:
        yield group


async def read_until(log: EventLog, until: Positions) -> Sequence[LogRecord]:
    """What the log has of these buckets up to these positions, each bucket's records in order."""
    at = {bucket: 0 for bucket, position in until.items() if position}
    found: list[LogRecord] = []
    while at and (records := await log.read(at, limit=PAGE)):
        for record in records:
            at[record.bucket] = record.position
            if record.position <= until[record.bucket]:
                found.append(record)
        at = {bucket: position for bucket, position in at.items() if position < until[bucket]}
    return found
