"""Compares the orders table with the fold of each order's events, and checks the log's positions."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from attrs import field, fields, frozen

from ...domain.errors import CorruptHistory, UndecodableEvent
from ...domain.events import OrderEvent, event_id
from ...domain.history import OrderFacts, facts_of, fold
from ...domain.order import Order
from ...domain.text import counted
from ..event_log.ports import Decode, EventLog
from ..event_log.records import LogRecord, Positions, bucket_of
from .buckets import Decoded, decoded, groups, read_until
from .read_rows import read_rows
from .report import CheckReport, Comparison

PAGE = 1000
Also = Callable[[Positions, Decoded], Awaitable[None]]
"""Gets a group of buckets, with their heads, and its events."""


class OrderAudit(Protocol):
    """Reads the orders table for the check."""

    async def many(self, order_ids: Sequence[str]) -> Mapping[str, Order]:
        """Return those of ``order_ids`` that exist."""
        ...

    async def count(self) -> int: ...


@frozen
class CheckOrdersAndLog:
    """Checks that positions and versions have no gaps, transitions are legal, row = fold(log), and totals are equal.

    Returns the fold of the log. Orders may change meanwhile: only the log up to the heads at the start is read, and
    the row of an order with later events is not compared. ``also`` gets each group of buckets that was read, with its
    events, so that a later comparison does not read the log again.
    """

    log: EventLog
    orders: OrderAudit
    decode: Decode
    buckets: int

    async def __call__(self, report: CheckReport, heads: Positions, also: Also | None = None) -> "FoldedLog":
        checks = _Checks(
            report.start("positions are dense in each bucket", "events"),
            report.start("versions are dense and paths legal in each order", "events"),
            report.start("row = fold(log)", "orders"),
            report.start("money is conserved", "orders"),
        )
        folded = FoldedLog()
        count = 0
        for group in groups(heads):
            events = decoded(await read_until(self.log, group), self.decode)
            count += await self._compare_rows(self._histories(events, group, checks, folded), checks, folded)
            if also is not None:
                await also(group, events)
        rows, later = await self.orders.count(), await self.log.heads()
        for bucket, order_id, version, last in checks.ahead:
            if later[bucket] == heads[bucket]:
                checks.rows.differ(f"order {order_id}", f"the row is at version {version}, the log ends at {last}")
        if rows < count or (rows > count and later == heads):
            checks.rows.differ("orders", f"{counted(rows, 'row')}, but the log has {counted(count, 'order')}")
        return folded

    def _histories(
        self, events: Decoded, heads: Positions, checks: "_Checks", folded: "FoldedLog"
    ) -> dict[str, list[OrderEvent]]:
        histories: dict[str, list[OrderEvent]] = defaultdict(list)
        at = dict.fromkeys(heads, 0)
        for record, event in events:
            bucket = record.bucket
            checks.positions.compared += 1
            if record.position != at[bucket] + 1:
                checks.positions.differ(f"bucket {bucket}", f"position {record.position} follows {at[bucket]}")
            at[bucket] = record.position
            self._check_address(record, checks)
            folded.digests[bucket, record.position] = digest(record)
            if isinstance(event, UndecodableEvent):
                histories[record.order_id]  # its row is compared all the same
                folded.damaged.add(record.order_id)
                checks.paths.differ(_where(record), str(event))
            else:
                histories[record.order_id].append(event)
        for bucket, head in heads.items():
            if at[bucket] != head:
                checks.positions.differ(f"bucket {bucket}", f"ends at {at[bucket]}, but its counter says {head}")
        return histories

    def _check_address(self, record: LogRecord, checks: "_Checks") -> None:
        if record.bucket != bucket_of(record.order_id, self.buckets):
            checks.positions.differ(_where(record), f"is in bucket {record.bucket}, not in its order's")
        if record.event_id != event_id(record.order_id, record.sequence):
            checks.paths.differ(_where(record), f"its id {record.event_id} is not that of its order and sequence")

    async def _compare_rows(
        self, histories: Mapping[str, list[OrderEvent]], checks: "_Checks", folded: "FoldedLog"
    ) -> int:
        rows: dict[str, Order] = {}
        unreadable: dict[str, str] = {}
        ids = list(histories)
        for start in range(0, len(ids), PAGE):
            found, problems = await read_rows(self.orders.many, ids[start : start + PAGE])
            rows |= found
            unreadable |= problems
        for order_id, events in histories.items():
            facts = _fold(order_id, events, checks.paths)
            folded.facts[order_id] = facts
            if facts is None:
                folded.damaged.add(order_id)
            row = rows.get(order_id)
            checks.rows.compared += 1
            if row is None:
                checks.rows.differ(f"order {order_id}", unreadable.get(order_id, "is in the log, but has no row"))
                continue
            if facts is None:
                continue
            if row.version > facts.version:
                checks.ahead.append((bucket_of(order_id, self.buckets), order_id, row.version, facts.version))
                continue
            for name, ours, theirs in differing(facts_of(row), facts):
                checks.rows.differ(f"order {order_id}", f"{name}: the row has {ours}, the log {theirs}")
            checks.money.compared += 1
            if row.total != facts.total:
                checks.money.differ(f"order {order_id}", f"the row's total is {row.total}, the log's {facts.total}")
        return len(histories)


@frozen
class FoldedLog:
    """The fold of the log: ``facts`` by order, None for a damaged history; ``digests`` of the records by address.

    ``damaged`` are the orders with an event that could not be decoded or applied.
    """

    facts: dict[str, OrderFacts | None] = field(factory=dict)
    damaged: set[str] = field(factory=set)
    digests: dict[tuple[int, int], int] = field(factory=dict)


def digest(record: LogRecord) -> int:
    """Return a hash of the fields that must be equal in the log and on the topic."""
    return hash((record.order_id, record.sequence, record.type, record.event_id, record.body))


@frozen
class _Checks:
    positions: Comparison
    paths: Comparison
    rows: Comparison
    money: Comparison
    ahead: list[tuple[int, str, int, int]] = field(factory=list)


def differing(ours: OrderFacts, theirs: OrderFacts) -> list[tuple[str, object, object]]:
    """Return (name, ours, theirs) of every fact that differs."""
    pairs = [(a.name, getattr(ours, a.name), getattr(theirs, a.name)) for a in fields(OrderFacts)]
    return [(name, one, other) for name, one, other in pairs if one != other]


def _where(record: LogRecord) -> str:
    return f"order {record.order_id}, event {record.sequence}"


def _fold(order_id: str, events: Sequence[OrderEvent], paths: Comparison) -> OrderFacts | None:
    paths.compared += len(events)
    try:
        return fold(events)
    except CorruptHistory as e:
        paths.differ(f"order {order_id}, event {e.sequence}", e.problem)
        return None
