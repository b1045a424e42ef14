"""The storage of orders and their log in memory.

A commit does not await between its first check and its last change, so on one event loop it is atomic.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from attrs import evolve, frozen

from ...application.event_log.records import BUCKETS, EVENT_LIMIT, EventTimes, LogRecord, bucket_of
from ...application.noop import noop
from ...application.orders.payment_attempts import FINAL
from ...application.orders.write_set import WriteSet
from ...application.request_context import Request
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


class MemoryStorage:
    """The storage of one installation in one process; it is lost when the process ends."""

    def __init__(
        self,
        *,
        buckets: int = BUCKETS,
        on_commit: Callable[[], None] = noop,
        event_limit: int = EVENT_LIMIT,
        phone_region: str = "",
    ) -> None:
        self.buckets = buckets
        self.on_commit = on_commit
        self.event_limit = event_limit
        self.time = SteadyClock()
        self._orders: dict[str, Order] = {}
        self.committer = MemoryCommitter(self)
        self.views = MemoryOrderQueries(self._orders, phone_region)
        self.audit = MemoryOrderAudit(self._orders)
        self.log = MemoryEventLog()
        self.cursors = MemoryCursors()
        self.answers = MemoryIdempotencyStore()
        self.attempts = MemoryPaymentAttempts()
        self.tokens = MemoryTokens(self.time)
        self.sessions = MemorySessions(self.time)
        self.stream_tickets = MemoryStreamTickets(self.time)
        self.maintenance_log = MemoryMaintenanceLog()
        self.rollout = MemoryRollout(self.maintenance_log.entries)
        self.epochs = MemoryEpochs(self.cursors.cursors, self.maintenance_log.entries)
        self.skipped_records = MemorySkippedRecords(self.maintenance_log.entries)
        self.processes = MemoryProcessRegistry()
        self.prices = MemoryPriceLists()

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def now(self) -> datetime:
        """Return the time by which responses are kept, and notifications are due."""
        return self.time()

    async def ping(self) -> None:
        """Do nothing: memory is always available."""


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
            self.storage.log.records[record.bucket].append(record)
            self.storage.log.histories[record.order_id].append(record)
            self.storage.log.event_times[record.order_id].append(EventTimes(record.sequence, request.requested_at, now))
        if records:
            self.storage.on_commit()
        return refusals

    def _refusal(self, writes: WriteSet) -> Conflict | None:
        key = writes.idempotency
        if key is not None and (key.caller, key.key) in self.storage.answers.responses:
            return RequestAnswered(key.key)
        for order_id in writes.orders:
            stored = self.storage._orders.get(order_id)
            if (stored.version if stored else 0) != writes.expected[order_id]:
                return ConcurrentChange(order_id, writes.expected[order_id])
        for attempt in writes.attempts.values():
            known = self.storage.attempts.attempts.get(attempt.key)
            if attempt.status in FINAL and known is not None and known.status in FINAL:
                return ConcurrentChange(attempt.order_id, writes.expected.get(attempt.order_id, 0))
        return None

    def _store(self, writes: WriteSet) -> None:
        if (key := writes.idempotency) is not None:
            self.storage.answers.responses[key.caller, key.key] = (key.response, self.storage.time())
        for order in writes.orders.values():
            self.storage._orders[order.id] = self._as_erased(order)
        for attempt in writes.attempts.values():
            self.storage.attempts.attempts[attempt.key] = attempt.stored_over(
                self.storage.attempts.attempts.get(attempt.key)
            )

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
                heads[bucket] = heads.get(bucket, len(self.storage.log.records[bucket])) + 1
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
