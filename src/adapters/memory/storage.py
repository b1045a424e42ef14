"""The storage of orders and their log in memory.

A commit does not await between its first check and its last change, so on one event loop it is atomic.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from attrs import define, evolve, field, frozen

from ...application.auth import Token
from ...application.event_log.records import BUCKETS, EVENT_LIMIT, EventTimes, LogRecord, bucket_of
from ...application.noop import noop
from ...application.orders.idempotency import StoredResponse
from ...application.orders.payment_attempts import FINAL, PaymentAttempt
from ...application.orders.write_set import WriteSet
from ...application.request_context import Request
from ...application.sessions import Session
from ...domain.errors import ConcurrentChange, Conflict, RequestAnswered
from ...domain.order import Order
from .. import wire
from .clock import SteadyClock
from .cursors import MemoryCursors
from .epochs import MemoryEpochs
from .event_log import MemoryEventLog
from .idempotency import MemoryIdempotencyStore
from .maintenance_log import MemoryMaintenanceLog
from .orders import MemoryOrderAudit, MemoryOrderQueries
from .payment_attempts import MemoryPaymentAttempts
from .prices import MemoryPriceLists
from .processes import MemoryProcessRegistry
from .rollout import MemoryRollout
from .sessions import MemorySessions
from .skipped_records import MemorySkippedRecords
from .streams import MemoryStreamTickets
from .tokens import MemoryTokens


@define(kw_only=True)
class MemoryStorage:
    """The storage of one installation in one process; it is lost when the process ends."""

    buckets: int = BUCKETS
    on_commit: Callable[[], None] = noop
    event_limit: int = EVENT_LIMIT
    time: Callable[[], datetime] = field(factory=SteadyClock)
    phone_region: str = ""
    _orders: dict[str, Order] = field(factory=dict, init=False)
    _log: dict[int, list[LogRecord]] = field(factory=lambda: defaultdict(list), init=False)
    _histories: dict[str, list[LogRecord]] = field(factory=lambda: defaultdict(list), init=False)
    _times: dict[str, list[EventTimes]] = field(factory=lambda: defaultdict(list), init=False)
    _attempts: dict[str, PaymentAttempt] = field(factory=dict, init=False)
    _responses: dict[tuple[str, str], tuple[StoredResponse, datetime]] = field(factory=dict, init=False)
    _cursors: dict[str, dict[int, int]] = field(factory=lambda: defaultdict(dict), init=False)
    _moved: dict[tuple[str, int], datetime] = field(factory=dict, init=False)
    _tokens: dict[str, Token] = field(factory=dict, init=False)
    _lifetimes: dict[str, timedelta | None] = field(factory=dict, init=False)
    _sessions: dict[str, Session] = field(factory=dict, init=False)
    stream_tickets: MemoryStreamTickets = field(init=False)
    rollout: MemoryRollout = field(init=False)
    epochs: MemoryEpochs = field(init=False)
    skipped_records: MemorySkippedRecords = field(init=False)
    processes: MemoryProcessRegistry = field(factory=MemoryProcessRegistry, init=False)
    maintenance_log: MemoryMaintenanceLog = field(factory=MemoryMaintenanceLog, init=False)
    prices: MemoryPriceLists = field(factory=MemoryPriceLists, init=False)

    def __attrs_post_init__(self) -> None:
        self.stream_tickets = MemoryStreamTickets({}, self.time)
        self.rollout = MemoryRollout(self.maintenance_log.entries)
        self.epochs = MemoryEpochs(self._cursors, self.maintenance_log.entries)
        self.skipped_records = MemorySkippedRecords(self.maintenance_log.entries)

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def now(self) -> datetime:
        """Return the time by which responses are kept, and notifications are due."""
        return self.time()

    async def ping(self) -> None:
        """Do nothing: memory is always available."""

    @property
    def committer(self) -> "MemoryCommitter":
        return MemoryCommitter(self)

    @property
    def views(self) -> MemoryOrderQueries:
        return MemoryOrderQueries(self._orders, self.phone_region)

    @property
    def log(self) -> MemoryEventLog:
        return MemoryEventLog(self._log, self._histories, self._times)

    @property
    def cursors(self) -> MemoryCursors:
        return MemoryCursors(self._cursors, self._moved)

    @property
    def answers(self) -> MemoryIdempotencyStore:
        return MemoryIdempotencyStore(self._responses)

    @property
    def attempts(self) -> MemoryPaymentAttempts:
        return MemoryPaymentAttempts(self._attempts)

    @property
    def audit(self) -> MemoryOrderAudit:
        return MemoryOrderAudit(self._orders)

    @property
    def tokens(self) -> MemoryTokens:
        return MemoryTokens(self._tokens, self._lifetimes, self.time)

    @property
    def sessions(self) -> MemorySessions:
        return MemorySessions(self._sessions, self.time)


@frozen
class MemoryCommitter:
    storage: MemoryStorage

    async def commit_together(self, sets: Sequence[WriteSet]) -> Sequence[Conflict | None]:
        refusals = [self._refusal(writes) for writes in sets]
        if any(refusals):
            return refusals
        records = self._addressed(sets)
        now = datetime.now(UTC)
        for writes in sets:
            self._store(writes)
        for record, request in records:
            self.storage._log[record.bucket].append(record)
            self.storage._histories[record.order_id].append(record)
            self.storage._times[record.order_id].append(EventTimes(record.sequence, request.requested_at, now))
        if records:
            self.storage.on_commit()
        return refusals

    def _refusal(self, writes: WriteSet) -> Conflict | None:
        key = writes.idempotency
        if key is not None and (key.caller, key.key) in self.storage._responses:
            return RequestAnswered(key.key)
        for order_id in writes.orders:
            stored = self.storage._orders.get(order_id)
            if (stored.version if stored else 0) != writes.expected[order_id]:
                return ConcurrentChange(order_id, writes.expected[order_id])
        for attempt in writes.attempts.values():
            known = self.storage._attempts.get(attempt.key)
            if attempt.status in FINAL and known is not None and known.status in FINAL:
                return ConcurrentChange(attempt.order_id, writes.expected.get(attempt.order_id, 0))
        return None

    def _store(self, writes: WriteSet) -> None:
        if (key := writes.idempotency) is not None:
            self.storage._responses[key.caller, key.key] = (key.response, self.storage.time())
        for order in writes.orders.values():
            self.storage._orders[order.id] = self._as_erased(order)
        for attempt in writes.attempts.values():
            self.storage._attempts[attempt.key] = attempt.stored_over(self.storage._attempts.get(attempt.key))

    def _as_erased(self, order: Order) -> Order:
        """Return ``order`` with the personal data that is stored: no command changes it, but an erasure does."""
        stored = self.storage._orders.get(order.id)
        if stored is None or _personal(stored) == _personal(order):
            return order
        payment = evolve(order.payment, card_token=stored.payment.card_token)
        return evolve(order, address=stored.address, annotations=stored.annotations, payment=payment)

    def _addressed(self, sets: Sequence[WriteSet]) -> list[tuple[LogRecord, Request]]:
        """Return the events as records of the log, each with its request. Raises EventTooLarge."""
        heads: dict[int, int] = {}
        records = []
        for writes in sets:
            for event in writes.events:
                bucket = bucket_of(event.order_id, self.storage.buckets)
                heads[bucket] = heads.get(bucket, len(self.storage._log[bucket])) + 1
                record = wire.record(
                    event,
                    bucket=bucket,
                    position=heads[bucket],
                    correlation_id=writes.request.correlation_id,
                    traceparent=writes.request.traceparent,
                )
                wire.check_size(event, record.body, self.storage.event_limit)
                records.append((record, writes.request))
        return records


def _personal(order: Order) -> object:
    return order.address, order.annotations, order.payment.card_token
