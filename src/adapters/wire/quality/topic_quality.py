"""Monitors the quality of a topic: counts its records and finds those that violate the contract or contradict others.

Memory is bounded: the number of orders, fields, versions and violations that are kept is limited.
"""

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
from ..problems import DECODING_ERRORS, FieldProblem
from ..validation import OTHER, UNKNOWN, check_record, field_of
from .order_history import OrderHistory

LATE = timedelta(minutes=5)
FUTURE = timedelta(seconds=5)
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_ORDERS = 50_000
_FIELDS = 200
_VERSIONS = 20
_VIOLATIONS = 100
_ADDRESS = frozenset({"headers/bucket", "headers/position"})


class _TypeAndVersion(Struct):
    type: str = UNKNOWN
    version: str = UNKNOWN


_TYPE_AND_VERSION = Decoder(_TypeAndVersion)


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
    violations: Sequence[Violation]


@define(kw_only=True, eq=False)
class TopicQuality:
    """Inspects records one by one and keeps the totals.

    A record is late if it follows its event by more than ``late``, and from the future if it precedes its event by
    more than ``future``, the tolerance for clock skew. ``from_beginning`` means that the topic is read from its first
    record, so an order must start with its first event. ``addressed`` means that a relay writes the topic, so each
    record has its address in the log. The histories of the ``orders`` most recently seen are kept. A history that was
    evicted is started again with the order's next event.
    """

    late: timedelta = LATE
    future: timedelta = FUTURE
    from_beginning: bool = False
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
    violations: deque[Violation] = field(factory=lambda: deque(maxlen=_VIOLATIONS), init=False)
    _histories: OrderedDict[str, OrderHistory] = field(factory=OrderedDict, init=False)

    @property
    def followed(self) -> int:
        """The number of orders that are being followed."""
        return len(self._histories)

    def inspect(self, record: ConsumedRecord) -> Inspection:
        """Inspect and count one record."""
        kind, version = self._type_and_version(record.value)
        size = len(record.value or b"")
        self.checked += 1
        self.records[kind, version] += 1
        self.sizes.setdefault(kind, Sizes()).add(size)
        found, late = self._problems(record), False
        if not found and record.value is not None:
            late, found = self._timing(record, read_envelope(record.value).occurred_at)
            found += self._contradictions(record, record.value)
        self.wrong += bool(found)
        self.violations.extend(found)
        return Inspection(type=kind, version=version, size=size, late=late, violations=found)

    def _type_and_version(self, value: bytes | None) -> tuple[str, str]:
        try:
            event = _TYPE_AND_VERSION.decode(value or b"")
        except DECODING_ERRORS:
            return UNKNOWN, UNKNOWN
        version = event.version[:20]
        versions = {version for _, version in self.records}
        return (
            event.type if event.type in DATA else UNKNOWN,
            version if version in versions or len(versions) < _VERSIONS else OTHER,
        )

    def _problems(self, record: ConsumedRecord) -> list[Violation]:
        problems = inspect(record, addressed=self.addressed)
        for problem in problems:
            name = field_of(problem.path)
            self.faults[name if name in self.faults or len(self.faults) < _FIELDS else OTHER] += 1
        return [_violation(record, "fault", each.path, each.problem, each.allowed) for each in problems]

    def _timing(self, record: ConsumedRecord, occurred_at: datetime) -> tuple[bool, list[Violation]]:
        delay = record.at - occurred_at
        self.latest_seconds = max(self.latest_seconds, delay.total_seconds())
        if delay > self.late:
            self.late_records += 1
            return True, []
        if -delay <= self.future:
            return False, []
        self.future_records += 1
        problem = f"it is {occurred_at.isoformat()}, {-delay.total_seconds():.0f} s after its record"
        return False, [
            _violation(record, "future", "occurredAt", problem, f"at most {self.future.total_seconds():g} s")
        ]

    def _contradictions(self, record: ConsumedRecord, value: bytes) -> list[Violation]:
        sequence = int(dict(record.headers)["sequence"] or b"")  # checked with the headers
        try:
            event = decode(value, sequence=sequence)
        except UndecodableEvent as error:
            return [_violation(record, "fault", error.field, error.problem, error.allowed)]
        epoch = int(dict(record.headers).get("epoch") or FIRST_EPOCH)
        history = self._histories.pop(event.order_id, None)
        if history is None:
            history = OrderHistory(from_first_event=self.from_beginning, epoch=epoch)
        elif epoch > history.epoch:  # a new epoch replaces the events of the one before
            history = OrderHistory(from_first_event=False, epoch=epoch)
        self._histories[event.order_id] = history
        if len(self._histories) > self.orders:
            self._histories.popitem(last=False)
            self.from_beginning = False  # an order that looks new may have been evicted
        found = history.add(event)
        if found is None:
            return []
        self.contradictions[found.kind] += 1
        self.contradicting_orders += not history.has_contradiction
        history.has_contradiction = True
        return [
            _violation(
                record, found.kind, "headers/sequence", found.problem, "a valid successor in order " + event.order_id
            )
        ]


def inspect(record: ConsumedRecord, *, addressed: bool) -> Sequence[FieldProblem]:
    """Find all problems of one record of the topic. If ``addressed``, it must have its address in the log."""
    problems = check_record(record.value, key=record.key, headers=record.headers)
    return problems if addressed else [each for each in problems if each.path not in _ADDRESS]


def time_of(milliseconds: int) -> datetime:
    """Convert a Kafka timestamp. Producers may set any; one that is no time becomes the earliest or latest time."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return _EARLIEST if milliseconds < 0 else _LATEST


def _violation(record: ConsumedRecord, kind: str, field: str, problem: str, allowed: str) -> Violation:
    return Violation(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
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
