"""The start of a replay, its sources and its result."""

import re
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from attrs import frozen

from ...domain.errors import InvalidInput, NotConfigured, OrderNotFound
from ...domain.text import identifier, shown
from ...domain.validation import time_in
from ..event_log.ports import EventLog, TopicReader
from ..event_log.records import Address, LogRecord, Positions
from ..recovery.epochs import Epochs, LogEpochs

PAGE = 500
ALLOWED = "POSITION, BUCKET:POSITION, a time in RFC 3339, or order:ID"
_POSITION = re.compile(r"(?:(\d{1,5}):)?(\d{1,18})", re.ASCII)


@frozen(kw_only=True)
class ReplayStart:
    """A ``position`` in one ``bucket`` or in all, a time, or the first event of an order."""

    bucket: int | None = None
    position: int | None = None
    since: datetime | None = None
    order_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ReplayStart":
        """Parse ``42``, ``17:42``, a time such as ``2024-05-17T12:00:00`` (by default in UTC) or ``order:ID``.

        Raises InvalidInput.
        """
        if not isinstance(text, str):
            raise InvalidInput("from", f"{shown(text)} is a {type(text).__name__}", f"text: {ALLOWED}")
        if text.startswith("order:"):
            return cls(order_id=identifier(text.removeprefix("order:"), field="from"))
        if found := _POSITION.fullmatch(text):
            bucket, position = found.groups()
            return cls(bucket=None if bucket is None else int(bucket), position=int(position))
        return cls(since=time_in(text, field="from", allowed=ALLOWED))

    def __str__(self) -> str:
        if self.order_id is not None:
            return f"order:{self.order_id}"
        if self.since is not None:
            return self.since.isoformat()
        return f"{self.position}" if self.bucket is None else f"{self.bucket}:{self.position}"


Selection = Mapping[int, Sequence[int]]
"""The positions of a replay by bucket, ascending; without empty buckets."""


async def select_positions(start: ReplayStart, log: EventLog, cursors: Positions, buckets: int) -> Selection:
    """Select the positions from ``start`` up to the ``cursors``; the consumer has not handled later ones yet.

    A time selects in each bucket the first event of that time or later, and all events after it. Raises InvalidInput
    for an unknown bucket, OrderNotFound, StorageUnavailable.
    """
    if start.order_id is not None:
        history = await log.history(start.order_id)
        if not history:
            raise OrderNotFound(start.order_id)
        bucket = history[0].bucket
        behind = [record.position for record in history if record.position <= cursors.get(bucket, 0)]
        return {bucket: behind} if behind else {}
    if start.since is not None:
        first: Positions = await log.since(start.since)
    elif start.bucket is None:
        first = dict.fromkeys(cursors, start.position or 0)
    elif start.bucket < buckets:
        first = {start.bucket: start.position or 0}
    else:
        raise InvalidInput("from", f"there is no bucket {start.bucket}", f"buckets 0 to {buckets - 1}")
    spans = {bucket: range(max(1, at), cursors.get(bucket, 0) + 1) for bucket, at in first.items()}
    return {bucket: span for bucket, span in sorted(spans.items()) if span}


class ReplaySource(Protocol):
    """A source from which events can be read again."""

    def __call__(self, wanted: Selection, order_id: str | None) -> AsyncIterator[Sequence[LogRecord]]:
        """Yield the ``wanted`` records in order in each bucket, up to the first that does not exist.

        With ``order_id``, all records of this order that exist, by position.

        Raises StorageUnavailable, StreamUnavailable.
        """
        ...


def source_named(sources: Mapping[str, ReplaySource], name: str) -> ReplaySource:
    """Return the source of that name. Raises NotConfigured."""
    if name not in sources:
        raise NotConfigured(f"there is no {name} to read from here", f"read from the {' or '.join(sources)}")
    return sources[name]


@frozen
class LogReplaySource:
    log: EventLog
    page: int = PAGE

    async def __call__(self, wanted: Selection, order_id: str | None) -> AsyncIterator[Sequence[LogRecord]]:
        if order_id is not None:
            yield await self.log.history(order_id)
            return
        at = {bucket: positions[0] - 1 for bucket, positions in wanted.items()}
        while at and (records := await self.log.read(at, limit=self.page)):
            yield records
            at |= {record.bucket: record.position for record in records}
            at = {bucket: position for bucket, position in at.items() if position < wanted[bucket][-1]}


@frozen
class TopicReplaySource:
    """Reads the whole topic, because it has no index. Superseded records are left out.

    If partitions were added, a bucket's later events may be read before its earlier ones. Then the topic is read again,
    as long as that finds further events.
    """

    topic: TopicReader
    epochs: LogEpochs

    async def __call__(self, wanted: Selection, order_id: str | None) -> AsyncIterator[Sequence[LogRecord]]:
        epochs = await self.epochs.all()
        if order_id is not None:
            yield await self._of_order(order_id, epochs)
            return
        left = {bucket: deque(positions) for bucket, positions in wanted.items()}
        again = True
        while again:
            found_any = early = False
            async with self.topic.scan() as scan:
                while records := await scan.read(PAGE):
                    found = []
                    for record in records:
                        positions = left.get(record.bucket) if isinstance(record, LogRecord) else None
                        if not isinstance(record, LogRecord) or not positions or epochs.superseded(record):
                            continue
                        if record.position == positions[0]:
                            positions.popleft()
                            found.append(record)
                        elif record.position > positions[0]:
                            early = True
                    if found:
                        found_any = True
                        yield found
            again = found_any and early and any(left.values())

    async def _of_order(self, order_id: str, epochs: Epochs) -> Sequence[LogRecord]:
        """Return the records of one order, by position, each once."""
        found: dict[Address, LogRecord] = {}
        async with self.topic.scan() as scan:
            while records := await scan.read(PAGE):
                for record in records:
                    if isinstance(record, LogRecord) and record.order_id == order_id and not epochs.superseded(record):
                        found.setdefault(record.address, record)
        return sorted(found.values(), key=lambda record: record.position)


@frozen(kw_only=True)
class StoppedOrder:
    """An order whose event number ``sequence`` failed; its later events were not handled."""

    order_id: str
    sequence: int
    error: str
    message: str


@frozen(kw_only=True)
class MissingPosition:
    """An event that the source does not have; from it on, nothing in the bucket was handled."""

    bucket: int
    position: int


@frozen(kw_only=True)
class ReplayResult:
    """The result of a replay of ``events`` of ``orders``, or its plan if it was a ``dry_run``.

    ``handled`` events were given to the consumer. ``parked`` ones are dead letters and left to a redrive; ``dropped``
    ones stay dropped.
    """

    consumer: str
    source: str
    dry_run: bool
    events: int
    orders: int = 0
    handled: int = 0
    parked: int = 0
    dropped: int = 0
    stopped: tuple[StoppedOrder, ...] = ()
    missing: tuple[MissingPosition, ...] = ()

    @property
    def whole(self) -> bool:
        """True if no order and no bucket stopped."""
        return not self.stopped and not self.missing
