"""The topic against the log: each event there once, in order, with the same bytes, and nothing else.

What the topic tells of an order is what the log tells of it as long as the order's records are those of the log, from
its first on and one after the other: they are counted, and neither opened nor folded again. From the first that is
another one, or is missing, the order is folded from the topic's own records.
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
    """Reads the whole topic, read committed, and compares it with what was folded from the log up to ``heads``.

    Events that the relay has not brought there yet are no difference but a note, and so are those that the rollout
    holds back, in buckets from ``share`` on; a hole before a later event is one. Records that a later epoch of the log
    superseded are counted and passed over.
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
        seen = _Seen(once, apart=set(folded.damaged))
        async with self.topic.scan() as scan:
            while records := await scan.read(PAGE):
                for record in records:
                    if isinstance(record, LogRecord) and epochs.superseded(record):
                        seen.superseded += 1
                    else:
                        await self._look_at(record, seen, folded, heads)
        later = await self.log.heads()
        for bucket, position in seen.at.items():
            if position > later.get(bucket, 0):
                seen.once.differ(f"bucket {bucket}", f"position {position}, but the log ends at {later.get(bucket, 0)}")
        missing = {bucket: head - at for bucket, head in heads.items() if head > (at := seen.at.get(bucket, 0))}
        if seen.superseded:
            report.notes.append(
                f"{seen.superseded} records of earlier epochs are on the topic, and do not count any more"
            )
        share = await self.share()
        if waiting := sum(count for bucket, count in missing.items() if bucket < share):
            report.notes.append(f"{waiting} events of the log are not on the topic yet")
        if held := sum(count for bucket, count in missing.items() if bucket >= share):
            report.notes.append(f"{held} events are held back: the buckets from {share} on are not published")
        same = report.start("fold(log) = fold(topic)", "orders")
        for order_id, ours in folded.facts.items():
            theirs = seen.told.get(order_id)
            same.compared += 1
            if ours is not None and seen.alike.get(order_id) == ours.version:
                continue
            if ours is not None and theirs is not None and theirs.version >= ours.version:
                for name, one, other in differing(ours, theirs):
                    same.differ(f"order {order_id}", f"{name}: the log says {one}, the topic {other}")
            elif bucket_of(order_id, self.buckets) not in missing:
                same.differ(f"order {order_id}", "the log and the topic do not both tell all of it")
        for order_id in seen.told.keys() - folded.facts.keys():
            same.differ(f"order {order_id}", "is told of on the topic only")

    async def _look_at(
        self, record: LogRecord | UnrecognizedRecord, seen: "_Seen", folded: FoldedLog, heads: Positions
    ) -> None:
        seen.once.compared += 1
        if isinstance(record, UnrecognizedRecord):
            where = f"{record.topic} partition {record.partition} offset {record.offset}"
            seen.once.differ(where, f"is no event of the log: {record.problem}")
            return
        at = seen.at.get(record.bucket, 0)
        if record.position <= at:
            seen.once.differ(_where(record), f"comes again, after position {at}")
            return
        if record.position > at + 1:
            missing = record.position - at - 1
            seen.once.differ(_where(record), f"follows position {at}; {missing} events are missing")
        seen.at[record.bucket] = record.position
        if record.position > heads.get(record.bucket, 0):
            return
        if folded.digests.get(record.address) != digest(record):
            seen.once.differ(_where(record), "is not what the log holds at this address")
        elif seen.counts(record):
            return
        await self._fold(record, seen)

    async def _fold(self, record: LogRecord, seen: "_Seen") -> None:
        """Fold this record, after those of its order that were the log's, which are taken from there."""
        order_id = record.order_id
        try:
            if order_id not in seen.apart:
                seen.apart.add(order_id)
                if alike := seen.alike.pop(order_id, 0):
                    for before in (await self.log.history(order_id))[:alike]:
                        seen.told[order_id] = apply(seen.told.get(order_id), self.decode(before))
            seen.told[order_id] = apply(seen.told.get(order_id), self.decode(record))
        except (CorruptHistory, UndecodableEvent) as e:
            seen.once.differ(_where(record), str(e))


@define
class _Seen:
    """``alike`` counts the records of each order that are the log's; orders that are folded stand ``apart``."""

    once: Comparison
    apart: set[str]
    at: dict[int, int] = field(factory=dict)
    alike: dict[str, int] = field(factory=dict)
    told: dict[str, OrderFacts] = field(factory=dict)
    superseded: int = 0

    def counts(self, record: LogRecord) -> bool:
        """Whether ``record``, which is the log's, is the next of an order whose records were all the log's."""
        if record.order_id in self.apart or record.sequence != self.alike.get(record.order_id, 0) + 1:
            return False
        self.alike[record.order_id] = record.sequence
        return True


def _where(record: LogRecord) -> str:
    return f"bucket {record.bucket}, position {record.position} (order {record.order_id}, event {record.sequence})"
