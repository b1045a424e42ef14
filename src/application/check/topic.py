"""Compares the topic with the log: each event is on it once, in order, with the same bytes, and nothing else.

As long as an order's records on the topic equal those of the log, its fold is the same as well: they are only counted,
not decoded. An order with a record that differs is folded from the topic's own records.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence

from attrs import define, field, frozen

from ...domain.errors import CorruptHistory, UndecodableEvent
from ...domain.history import OrderFacts, apply
from ...domain.text import counted
from ..event_log.ports import Cursors, Decode, EventLog, TopicReader, TopicScan
from ..event_log.records import (
    BUCKETS,
    RELAY,
    Address,
    LogRecord,
    Positions,
    UnrecognizedRecord,
    all_buckets,
    bucket_of,
)
from ..recovery.epochs import BEGINNING, LogEpochs
from .orders_and_log import FoldedLog, differing, digest
from .report import CheckReport, Comparison

PAGE = 1000
MAX_KEPT = 10_000
"""Records that differ from the log's and are kept for folding; further ones are only reported."""


@frozen
class CheckTopic:
    """Reads the whole topic, read committed, and compares it with the fold of the log up to ``heads``.

    A bucket's events may be in several partitions, if some were added; the order of the partitions does not matter.
    Events that are not published yet are a note, not a difference, and so are those that the rollout holds back, in
    buckets from ``share`` on. An event before a later one, or before the relay's stored cursor in ``cursors``, was
    published: it is a difference if it is missing, and a note if retention or compaction can have deleted it. Records
    that a later epoch superseded are counted and skipped.
    """

    topic: TopicReader
    log: EventLog
    decode: Decode
    buckets: int = BUCKETS
    share: Callable[[], Awaitable[int]] = all_buckets
    epochs: LogEpochs | None = None
    cursors: Cursors | None = None

    async def __call__(self, report: CheckReport, folded: FoldedLog, heads: Positions) -> None:
        epochs = BEGINNING if self.epochs is None else await self.epochs.all()
        # Read before the topic: what was published up to here is on the topic when it is read.
        stored = {} if self.cursors is None else await self.cursors.positions(RELAY)
        state = _TopicState(report.start("the topic holds the log's events, each once and in order", "records"))
        async with self.topic.scan() as scan:
            while records := await scan.read(PAGE):
                for record in records:
                    if isinstance(record, LogRecord) and epochs.superseded(record):
                        state.superseded += 1
                    else:
                        state.compare(record, scan.partition, folded, heads)
        await self._compare_ends(state)
        missing = _Missing()
        for bucket, head in heads.items():
            missing.find(bucket, head, stored.get(bucket, 0), state, scan)
        for (bucket, first), last in missing.lost.items():
            state.once.differ(
                f"bucket {bucket}", f"missing from position {first} on: {counted(last - first + 1, 'event')}"
            )
        await self._add_notes(report, state, missing)
        await self._compare_orders(report.start("fold(log) = fold(topic)", "orders"), folded, state, missing, report)

    async def _compare_ends(self, state: "_TopicState") -> None:
        later = await self.log.heads()
        for bucket, position in state.ends.items():
            if position > (head := later.get(bucket, 0)):
                state.once.differ(f"bucket {bucket}", f"position {position}, but the log ends at {head}")

    async def _add_notes(self, report: CheckReport, state: "_TopicState", missing: "_Missing") -> None:
        if state.superseded:
            report.notes.append(f"not compared: {counted(state.superseded, 'record')} of earlier epochs on the topic")
        if state.skipped:
            report.notes.append(f"not compared: {counted(state.skipped, 'record')} of the topic that operators skip")
        share = await self.share()
        if waiting := sum(count for bucket, count in missing.waiting.items() if bucket < share):
            report.notes.append(f"not on the topic yet: {counted(waiting, 'event')} of the log")
        if held := sum(count for bucket, count in missing.waiting.items() if bucket >= share):
            report.notes.append(
                f"held back: {counted(held, 'event')}, as the buckets from {share} on are not published"
            )
        if deleted := missing.deleted.total():
            report.notes.append(
                f"not compared: {counted(deleted, 'event')} deleted from the topic by retention or compaction"
            )

    async def _compare_orders(
        self, same: Comparison, folded: FoldedLog, state: "_TopicState", missing: "_Missing", report: CheckReport
    ) -> None:
        """Compare each order of which the topic has all events."""
        lost = {bucket for bucket, _ in missing.lost}
        partial = 0
        for order_id, ours in folded.facts.items():
            same.compared += 1
            different, equal = state.different.get(order_id, ()), state.equal[order_id]
            if ours is not None and not different and equal == ours.version:
                continue
            bucket = bucket_of(order_id, self.buckets)
            if ours is not None and equal + len(different) >= ours.version:
                theirs = await self._fold(order_id, different, state.once)
                for name, one, other in differing(ours, theirs) if theirs is not None else ():
                    same.differ(f"order {order_id}", f"{name}: the log has {one}, the topic {other}")
            elif bucket in lost or not (bucket in missing.waiting or bucket in missing.deleted):
                same.differ(f"order {order_id}", "the log and the topic do not both have all its events")
            else:
                same.compared -= 1
                partial += bucket in missing.deleted
        for order_id in state.different.keys() - folded.facts.keys():
            same.differ(f"order {order_id}", "is only on the topic")
        if partial:
            report.notes.append(
                f"not compared with the topic: {counted(partial, 'order')} of which events were deleted"
            )

    async def _fold(self, order_id: str, different: Sequence[LogRecord], once: Comparison) -> OrderFacts | None:
        """Fold the order from its records on the topic. Those that equal the log's are read from there."""
        records = {record.address: record for record in (*await self.log.history(order_id), *different)}
        facts: OrderFacts | None = None
        for record in sorted(records.values(), key=lambda each: each.position):
            try:
                facts = apply(facts, self.decode(record))
            except (CorruptHistory, UndecodableEvent) as error:
                once.differ(_where(record), str(error))
                return None
        return facts


@define
class _TopicState:
    """The findings so far.

    ``seen`` are the addresses of all records, ``spans`` by bucket and partition the first and the last position there,
    and ``ends`` by bucket the last position. ``equal`` counts by order the records that equal the log's; ``different``
    are the others.
    """

    once: Comparison
    seen: set[Address] = field(factory=set)
    spans: dict[int, dict[int, tuple[int, int]]] = field(factory=lambda: defaultdict(dict))
    ends: dict[int, int] = field(factory=dict)
    equal: Counter[str] = field(factory=Counter)
    different: dict[str, list[LogRecord]] = field(factory=dict)
    kept: int = 0
    superseded: int = 0
    skipped: int = 0

    def compare(
        self, record: LogRecord | UnrecognizedRecord, partition: int, folded: FoldedLog, heads: Positions
    ) -> None:
        self.once.compared += 1
        if isinstance(record, UnrecognizedRecord):
            if record.skipped:
                self.skipped += 1
            else:
                where = f"{record.topic} partition {record.partition} offset {record.offset}"
                self.once.differ(where, f"is not an event of the log: {record.problem}")
            return
        bucket, position = record.address
        if record.address in self.seen:
            self.once.differ(_where(record), "is repeated")
            return
        self.seen.add(record.address)
        first, last = self.spans[bucket].get(partition, (position, 0))
        if position < last:
            self.once.differ(_where(record), f"follows position {last} in partition {partition}")
        self.spans[bucket][partition] = min(first, position), max(last, position)
        self.ends[bucket] = max(self.ends.get(bucket, 0), position)
        if position > heads.get(bucket, 0):
            return
        if folded.digests.get(record.address) == digest(record):
            self.equal[record.order_id] += 1
            return
        self.once.differ(_where(record), "differs from the log's record at this address")
        if self.kept < MAX_KEPT:
            self.kept += 1
            self.different.setdefault(record.order_id, []).append(record)


@define
class _Missing:
    """Events of the log that are not on the topic.

    ``waiting`` counts by bucket those that are not published yet, ``deleted`` those that the topic may have deleted.
    ``lost`` are the others: the last position of each range by its bucket and first position.
    """

    waiting: dict[int, int] = field(factory=dict)
    deleted: Counter[int] = field(factory=Counter)
    lost: dict[Address, int] = field(factory=dict)

    def find(self, bucket: int, head: int, stored: int, state: _TopicState, scan: TopicScan) -> None:
        published = min(head, max(stored, state.ends.get(bucket, 0)))
        if head > published:
            self.waiting[bucket] = head - published
        for first, last in _ranges(
            position for position in range(1, published + 1) if (bucket, position) not in state.seen
        ):
            if _may_be_deleted(bucket, last, state, scan):
                self.deleted[bucket] += last - first + 1
            else:
                self.lost[bucket, first] = last


def _may_be_deleted(bucket: int, position: int, state: _TopicState, scan: TopicScan) -> bool:
    """Return whether the topic may have deleted the event at ``position``: any, or those before a partition's first."""
    if scan.compacted:
        return True
    spans = state.spans[bucket]
    candidates = {bucket % partitions for partitions in range(1, scan.partitions + 1)}
    return any(each not in spans or position < spans[each][0] for each in candidates & set(scan.shortened))


def _ranges(positions: Iterator[int]) -> Iterator[tuple[int, int]]:
    """Join ascending positions to ranges without gaps."""
    first = last = 0
    for position in positions:
        if first and position == last + 1:
            last = position
            continue
        if first:
            yield first, last
        first = last = position
    if first:
        yield first, last


def _where(record: LogRecord) -> str:
    return f"bucket {record.bucket}, position {record.position} (order {record.order_id}, event {record.sequence})"
