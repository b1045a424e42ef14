"""Monitors the quality of a topic: counts its records and finds those that violate the contract or contradict others.

Memory is bounded: the number of orders, fields, versions and bad records that are kept is limited.
"""

import re
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from attrs import define, field, frozen
from msgspec import Struct
from msgspec.json import Decoder

from ....application.event_log.records import FIRST_EPOCH
from ....domain.errors import UndecodableEvent
from ..codec import decode, read_envelope
from ..envelope import DATA
from ..headers import Headers
from ..problems import UNREADABLE, FieldProblem
from ..validation import UNKNOWN, check_record
from .order_history import OrderHistory

OTHER = "other"
"""Counts the fields and versions beyond those that are counted separately."""
LATE = timedelta(minutes=5)
FUTURE = timedelta(seconds=5)
_ORDERS = 50_000
_FIELDS = 200
_VERSIONS = 20
_BAD = 100
_ADDRESS = frozenset({"headers/bucket", "headers/position"})


class _Said(Struct):
    type: str = UNKNOWN
    version: str = UNKNOWN


_SAID = Decoder(_Said)


@frozen(kw_only=True)
class ConsumedRecord:
    """A record of the topic, valid or not. ``at`` is its Kafka timestamp."""

    topic: str
    partition: int
    offset: int
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    headers: Headers = field(repr=False)
    at: datetime


@frozen(kw_only=True)
class Violation:
    """One violation by one record. ``kind`` is fault, future, gap, regression or illegal."""

    topic: str
    partition: int
    offset: int
    kind: str
    field: str
    problem: str
    allowed: str


@define
class Sizes:
    """The sizes of values, in bytes."""

    records: int = 0
    total: int = 0
    largest: int = 0

    def add(self, size: int) -> None:
        self.records += 1
        self.total += size
        self.largest = max(self.largest, size)

    @property
    def mean(self) -> float:
        return self.total / self.records if self.records else 0.0


@frozen(kw_only=True)
class Inspection:
    """The type, version and size of one record, and all of its violations."""

    type: str
    version: str
    size: int
    late: bool
    bad: Sequence[Violation]


@define(kw_only=True, eq=False)
class TopicQuality:
    """Inspects records one by one and keeps the totals.

    A record is late if it follows its event by more than ``late``, and from the future if it precedes its event by
    more than ``future``, the tolerance for clock skew. ``whole`` means that the topic is read from its first record,
    so an order must start with its first event. ``addressed`` means that a relay writes the topic, so each record has
    its address in the log. The ``orders`` most recently seen are followed; an order that was evicted starts anew.
    """

    late: timedelta = LATE
    future: timedelta = FUTURE
    whole: bool = False
    addressed: bool = True
    orders: int = _ORDERS
    checked: int = field(default=0, init=False)
    wrong: int = field(default=0, init=False)
    records: Counter[tuple[str, str]] = field(factory=Counter, init=False)
    sizes: dict[str, Sizes] = field(factory=dict, init=False)
    faults: Counter[str] = field(factory=Counter, init=False)
    contradictions: Counter[str] = field(factory=Counter, init=False)
    contradicting_orders: int = field(default=0, init=False)
    late_records: int = field(default=0, init=False)
    future_records: int = field(default=0, init=False)
    latest_seconds: float = field(default=0.0, init=False)
    bad: deque[Violation] = field(factory=lambda: deque(maxlen=_BAD), init=False)
    _stories: OrderedDict[str, OrderHistory] = field(factory=OrderedDict, init=False)

    @property
    def followed(self) -> int:
        """The number of orders that are being followed."""
        return len(self._stories)

    def look(self, arrival: ConsumedRecord) -> Inspection:
        """Inspect and count one record."""
        kind, version = self._said(arrival.value)
        size = len(arrival.value or b"")
        self.checked += 1
        self.records[kind, version] += 1
        self.sizes.setdefault(kind, Sizes()).add(size)
        bad, late = self._faults(arrival), False
        if not bad and arrival.value is not None:
            late, bad = self._timing(arrival, read_envelope(arrival.value).occurred_at)
            bad += self._story(arrival, arrival.value)
        self.wrong += bool(bad)
        self.bad.extend(bad)
        return Inspection(type=kind, version=version, size=size, late=late, bad=bad)

    def _said(self, value: bytes | None) -> tuple[str, str]:
        try:
            said = _SAID.decode(value or b"")
        except UNREADABLE:
            return UNKNOWN, UNKNOWN
        version = said.version[:20]
        known = {version for _, version in self.records}
        return (
            said.type if said.type in DATA else UNKNOWN,
            version if version in known or len(known) < _VERSIONS else OTHER,
        )

    def _faults(self, arrival: ConsumedRecord) -> list[Violation]:
        problems = inspect(arrival, addressed=self.addressed)
        for problem in problems:
            name = field_of(problem.path)
            self.faults[name if name in self.faults or len(self.faults) < _FIELDS else OTHER] += 1
        return [_bad(arrival, "fault", each.path, each.problem, each.allowed) for each in problems]

    def _timing(self, arrival: ConsumedRecord, occurred_at: datetime) -> tuple[bool, list[Violation]]:
        behind = arrival.at - occurred_at
        self.latest_seconds = max(self.latest_seconds, behind.total_seconds())
        if behind > self.late:
            self.late_records += 1
            return True, []
        if -behind <= self.future:
            return False, []
        self.future_records += 1
        problem = f"it is {occurred_at.isoformat()}, {-behind.total_seconds():.0f} s after its record"
        return False, [_bad(arrival, "future", "occurredAt", problem, f"at most {self.future.total_seconds():g} s")]

    def _story(self, arrival: ConsumedRecord, value: bytes) -> list[Violation]:
        sequence = int(dict(arrival.headers)["sequence"] or b"")  # checked with the headers
        try:
            event = decode(value, sequence=sequence)
        except UndecodableEvent as error:
            return [_bad(arrival, "fault", error.field, error.problem, error.allowed)]
        epoch = int(dict(arrival.headers).get("epoch") or FIRST_EPOCH)
        story = self._stories.pop(event.order_id, None)
        if story is None:
            story = OrderHistory(from_its_beginning=self.whole, epoch=epoch)
        elif epoch > story.epoch:  # a new epoch replaces the events of the one before
            story = OrderHistory(from_its_beginning=False, epoch=epoch)
        self._stories[event.order_id] = story
        if len(self._stories) > self.orders:
            self._stories.popitem(last=False)
            self.whole = False  # an order that looks new may have been evicted
        found = story.follow(event)
        if found is None:
            return []
        self.contradictions[found.kind] += 1
        self.contradicting_orders += not story.contradicted
        story.contradicted = True
        return [
            _bad(arrival, found.kind, "headers/sequence", found.problem, "a valid successor in order " + event.order_id)
        ]


def inspect(arrival: ConsumedRecord, *, addressed: bool) -> Sequence[FieldProblem]:
    """Find all problems of one record of the topic. If ``addressed``, it must have its address in the log."""
    problems = check_record(arrival.value, key=arrival.key, headers=arrival.headers)
    return problems if addressed else [each for each in problems if each.path not in _ADDRESS]


def field_of(path: str) -> str:
    """Return the field that ``path`` leads to, with ``*`` for the index of a line."""
    return re.sub(r"/\d+(?=/|$)", "/*", path)


def time_of(milliseconds: int) -> datetime:
    """Convert a Kafka timestamp."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _bad(arrival: ConsumedRecord, kind: str, field: str, problem: str, allowed: str) -> Violation:
    return Violation(
        topic=arrival.topic,
        partition=arrival.partition,
        offset=arrival.offset,
        kind=kind,
        field=field,
        problem=problem,
        allowed=allowed,
    )


def summary(quality: TopicQuality) -> Mapping[str, object]:
    """Return all totals as one document."""
    return {
        "checked": quality.checked,
        "wrong": quality.wrong,
        "records": [
            {"type": kind, "version": version, "records": count}
            for (kind, version), count in sorted(quality.records.items())
        ],
        "bytes": {
            kind: {"mean": round(sizes.mean, 1), "largest": sizes.largest}
            for kind, sizes in sorted(quality.sizes.items())
        },
        "faults": dict(quality.faults.most_common()),
        "late": quality.late_records,
        "latestSeconds": round(quality.latest_seconds, 3),
        "future": quality.future_records,
        "contradictions": dict(quality.contradictions.most_common()),
        "contradictingOrders": quality.contradicting_orders,
        "ordersFollowed": quality.followed,
    }
