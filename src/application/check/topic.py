"""Compares the topic with the log: each event is on it once, in order, with the same bytes, and nothing else.

As long as an order's records on the topic equal those of the log, from the first on without a gap, its fold is the
same as well: they are only counted, not decoded. From the first record that differs or is missing, the order is folded
from the topic's own records.
"""

from collections.abc import Awaitable, Callable

from attrs import define, field, frozen

from ...domain.errors import CorruptHistory, UndecodableEvent
from ...domain.history import OrderFacts, apply
from ..event_log.ports import Decode, EventLog, TopicReader
from ..event_log.records import BUCKETS, LogRecord, Positions, UnrecognizedRecord, all_buckets, bucket_of
from ..recovery.epochs import BEGINNING, LogEpochs
from .orders_and_log import FoldedLog, differing, digest
from .report import CheckReport, Comparison

PAGE = 1000


@frozen
class CheckTopic:
    """Reads the whole topic, read committed, and compares it with the fold of the log up to ``heads``.

    Events that are not published yet are a note, not a difference, and so are those that the rollout holds back, in
    buckets from ``share`` on. A gap before a later event is a difference. Records that a later epoch superseded are
    counted and skipped.
    """

    topic: TopicReader
    log: EventLog
    decode: Decode
    buckets: int = BUCKETS
    share: Callable[[], Awaitable[int]] = all_buckets
    epochs: LogEpochs | None = None

    async def __call__(self, report: CheckReport, folded: FoldedLog, heads: Positions) -> None:
        epochs = BEGINNING if self.epochs is None else await self.epochs.all()
        once = report.start("the topic holds the log's events, each once and in order", "records")
        state = _TopicFold(once, refolded=set(folded.damaged))
        async with self.topic.scan() as scan:
            while records := await scan.read(PAGE):
                for record in records:
                    if isinstance(record, LogRecord) and epochs.superseded(record):
                        state.superseded += 1
                    else:
                        await self._compare(record, state, folded, heads)
        later = await self.log.heads()
        for bucket, position in state.at.items():
            if position > later.get(bucket, 0):
                state.once.differ(
                    f"bucket {bucket}", f"position {position}, but the log ends at {later.get(bucket, 0)}"
                )
        missing = {bucket: head - at for bucket, head in heads.items() if head > (at := state.at.get(bucket, 0))}
        if state.superseded:
            report.notes.append(f"{state.superseded} records of earlier epochs are on the topic and not compared")
        if state.skipped:
            report.notes.append(f"{state.skipped} records of the topic are skipped by operators and not compared")
        share = await self.share()
        if waiting := sum(count for bucket, count in missing.items() if bucket < share):
            report.notes.append(f"{waiting} events of the log are not on the topic yet")
        if held := sum(count for bucket, count in missing.items() if bucket >= share):
            report.notes.append(f"{held} events are held back: the buckets from {share} on are not published")
        same = report.start("fold(log) = fold(topic)", "orders")
        for order_id, ours in folded.facts.items():
            theirs = state.facts.get(order_id)
            same.compared += 1
            if ours is not None and state.equal.get(order_id) == ours.version:
                continue
            if ours is not None and theirs is not None and theirs.version >= ours.version:
                for name, one, other in differing(ours, theirs):
                    same.differ(f"order {order_id}", f"{name}: the log has {one}, the topic {other}")
            elif bucket_of(order_id, self.buckets) not in missing:
                same.differ(f"order {order_id}", "the log and the topic do not both have all its events")
        for order_id in state.facts.keys() - folded.facts.keys():
            same.differ(f"order {order_id}", "is only on the topic")

    async def _compare(
        self, record: LogRecord | UnrecognizedRecord, state: "_TopicFold", folded: FoldedLog, heads: Positions
    ) -> None:
        state.once.compared += 1
        if isinstance(record, UnrecognizedRecord) and record.skipped:
            state.skipped += 1
            return
        if isinstance(record, UnrecognizedRecord):
            where = f"{record.topic} partition {record.partition} offset {record.offset}"
            state.once.differ(where, f"is not an event of the log: {record.problem}")
            return
        at = state.at.get(record.bucket, 0)
        if record.position <= at:
            state.once.differ(_where(record), f"is repeated after position {at}")
            return
        if record.position > at + 1:
            missing = record.position - at - 1
            state.once.differ(_where(record), f"follows position {at}; {missing} events are missing")
        state.at[record.bucket] = record.position
        if record.position > heads.get(record.bucket, 0):
            return
        if folded.digests.get(record.address) != digest(record):
            state.once.differ(_where(record), "differs from the log's record at this address")
        elif state.continues_equal(record):
            return
        await self._fold(record, state)

    async def _fold(self, record: LogRecord, state: "_TopicFold") -> None:
        """Apply this record, after the order's records that equalled the log's, which are read from there."""
        order_id = record.order_id
        try:
            if order_id not in state.refolded:
                state.refolded.add(order_id)
                if equal := state.equal.pop(order_id, 0):
                    for before in (await self.log.history(order_id))[:equal]:
                        state.facts[order_id] = apply(state.facts.get(order_id), self.decode(before))
            state.facts[order_id] = apply(state.facts.get(order_id), self.decode(record))
        except (CorruptHistory, UndecodableEvent) as e:
            state.once.differ(_where(record), str(e))


@define
class _TopicFold:
    """The state so far. ``equal`` counts by order the records that equal the log's; ``refolded`` are the others."""

    once: Comparison
    refolded: set[str]
    at: dict[int, int] = field(factory=dict)
    equal: dict[str, int] = field(factory=dict)
    facts: dict[str, OrderFacts] = field(factory=dict)
    superseded: int = 0
    skipped: int = 0

    def continues_equal(self, record: LogRecord) -> bool:
        """Count ``record``, which equals the log's, and return True if all earlier ones of its order did, too."""
        if record.order_id in self.refolded or record.sequence != self.equal.get(record.order_id, 0) + 1:
            return False
        self.equal[record.order_id] = record.sequence
        return True


def _where(record: LogRecord) -> str:
    return f"bucket {record.bucket}, position {record.position} (order {record.order_id}, event {record.sequence})"
