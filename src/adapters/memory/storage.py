"""The storage of orders and their log in memory.

A commit does not await between its first check and its last change, so on one event loop it is atomic.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate

from attrs import define, evolve, field, frozen

from ...application.auth import Token
from ...application.event_log.records import (
    BUCKETS,
    EVENT_LIMIT,
    UNBOUNDED,
    Address,
    CursorAt,
    EventTimes,
    LogRecord,
    Positions,
    bucket_of,
    shares,
)
from ...application.noop import noop
from ...application.orders.idempotency import DELETED_AT_ONCE, StoredResponse
from ...application.orders.payment_attempts import (
    ANSWERED_WITHIN,
    AttemptKind,
    AttemptStatus,
    OutstandingPayments,
    PaymentAttempt,
)
from ...application.orders.queries import MOST_COUNTED, OpenOrders, OrderPage, OrderQuery, OrderSort, StateCount
from ...application.orders.write_set import WriteSet
from ...application.request_context import Request
from ...application.sessions import Session
from ...domain.errors import ConcurrentChange, Conflict, OrderNotFound, RequestAnswered
from ...domain.lifecycle import ASSIGNABLE, OrderState
from ...domain.order import Order
from ...domain.text import is_identifier
from .. import wire
from ..order_terms import OrderTerms, has_term
from ..paging import cursor_after, decode_cursor
from .clock import SteadyClock
from .epochs import MemoryEpochs
from .maintenance_log import MemoryMaintenanceLog
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
    def views(self) -> "MemoryOrderQueries":
        return MemoryOrderQueries(self)

    @property
    def log(self) -> "MemoryEventLog":
        return MemoryEventLog(self)

    @property
    def cursors(self) -> "MemoryCursors":
        return MemoryCursors(self)

    @property
    def answers(self) -> "MemoryIdempotencyStore":
        return MemoryIdempotencyStore(self)

    @property
    def attempts(self) -> "MemoryPaymentAttempts":
        return MemoryPaymentAttempts(self)

    @property
    def audit(self) -> "MemoryOrderAudit":
        return MemoryOrderAudit(self)

    @property
    def tokens(self) -> MemoryTokens:
        return MemoryTokens(self._tokens, self.time)

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


@frozen
class MemoryOrderQueries:
    storage: MemoryStorage

    async def get(self, order_id: str) -> Order:
        for order in (await self.get_all([order_id])).values():
            return order
        raise OrderNotFound(order_id)

    async def get_all(self, order_ids: Collection[str]) -> Mapping[str, Order]:
        return {it: self.storage._orders[it] for it in filter(is_identifier, order_ids) if it in self.storage._orders}

    async def list(self, query: OrderQuery) -> OrderPage:
        after = decode_cursor(query.cursor, query) if query.cursor is not None else None
        newest = query.sort is OrderSort.NEWEST

        def key(order: Order) -> tuple[datetime, str]:
            return query.sort_time(order), order.id

        found = sorted(self._matching(query), key=key, reverse=newest)
        if after is not None:
            found = [o for o in found if (key(o) < after if newest else key(o) > after)]
        page = tuple(found[: query.limit])
        return OrderPage(page, cursor_after(page[-1], query) if len(found) > query.limit else None)

    async def count(self, query: OrderQuery) -> Sequence[StateCount]:
        numbers = Counter(order.state for order in self._matching(query))
        return [
            StateCount(state=state, orders=min(numbers[state], MOST_COUNTED), more=numbers[state] > MOST_COUNTED)
            for state in query.states or OrderState
        ]

    def _matching(self, query: OrderQuery) -> Iterator[Order]:
        terms = OrderTerms(self.storage.phone_region)
        wanted = None if query.q is None else terms.wanted(query.q)
        for order in self.storage._orders.values():
            if _matches(order, query) and (
                wanted is None
                or (
                    wanted.id
                    and (order.id.startswith(wanted.id) or wanted.id in (order.restaurant_id, order.customer_id))
                )
                or (
                    query.annotations_visible
                    and (own := terms.of(order.annotations))
                    and any(has_term(own, alternative) for alternative in wanted.alternatives)
                )
            ):
                yield order

    async def still_open(self) -> Mapping[OrderState, OpenOrders]:
        touched: dict[OrderState, list[datetime]] = defaultdict(list)
        for order in self.storage._orders.values():
            if not order.state.terminal:
                touched[order.state].append(order.updated_at)
        return {state: OpenOrders(orders=len(times), since=min(times)) for state, times in touched.items()}


def _matches(order: Order, query: OrderQuery) -> bool:
    return (
        query.customer_id in (None, order.customer_id)
        and query.restaurant_id in (None, order.restaurant_id)
        and (query.shipper_id is None or query.shipper_id == order.shipper_id)
        and (not query.states or order.state in query.states)
        and (not query.late or query.is_late(order))
        and not (query.available and (order.shipper_id is not None or order.state not in ASSIGNABLE))
        and (query.created_from is None or query.created_from <= order.created_at)
        and (query.created_until is None or order.created_at < query.created_until)
    )


@frozen
class MemoryEventLog:
    storage: MemoryStorage

    async def heads(self) -> Positions:
        return {bucket: len(records) for bucket, records in self.storage._log.items() if records}

    async def read(
        self, after: Positions, *, limit: int, heads: Positions | None = None, max_bytes: int = UNBOUNDED
    ) -> Sequence[LogRecord]:
        wanted = shares(after, await self.heads() if heads is None else heads, limit)
        records = [record for bucket, at, share in wanted for record in self.storage._log[bucket][at : at + share]]
        sizes = accumulate(len(record.body) for record in records)
        fitting = sum(1 for size in sizes if size <= max_bytes)
        return records[: max(1, fitting)]

    async def bodies(self, addresses: Collection[Address]) -> Mapping[Address, bytes]:
        log = self.storage._log
        return {(b, at): log[b][at - 1].body for b, at in addresses if 0 < at <= len(log.get(b, ()))}

    async def since(self, moment: datetime) -> Positions:
        firsts = {
            bucket: next((record.position for record in records if record.occurred_at >= moment), 0)
            for bucket, records in self.storage._log.items()
        }
        return {bucket: position for bucket, position in firsts.items() if position}

    async def history(self, order_id: str) -> Sequence[LogRecord]:
        return tuple(self.storage._histories.get(order_id, ()))

    async def times(self, order_id: str) -> Sequence[EventTimes]:
        return tuple(self.storage._times.get(order_id, ()))


@frozen
class MemoryCursors:
    storage: MemoryStorage

    async def positions(self, reader: str) -> Positions:
        return dict(self.storage._cursors.get(reader, {}))

    async def put(self, reader: str, positions: Positions) -> None:
        cursors = self.storage._cursors[reader]
        for bucket, position in positions.items():
            if position > cursors.get(bucket, -1):
                cursors[bucket] = position
                self.storage._moved[reader, bucket] = datetime.now(UTC)

    async def begin(self, reader: str, positions: Positions) -> None:
        known = self.storage._cursors[reader]
        await self.put(reader, {bucket: at for bucket, at in positions.items() if bucket not in known})

    async def readers(self) -> Sequence[str]:
        return sorted(reader for reader, cursors in self.storage._cursors.items() if cursors)

    async def at(self, bucket: int) -> Sequence[CursorAt]:
        return [
            CursorAt(reader, self.storage._cursors[reader][bucket], self.storage._moved[reader, bucket])
            for reader in await self.readers()
            if bucket in self.storage._cursors[reader]
        ]


@frozen
class MemoryIdempotencyStore:
    storage: MemoryStorage

    async def find(self, caller: str, key: str) -> StoredResponse | None:
        stored = self.storage._responses.get((caller, key))
        return stored[0] if stored else None

    async def delete_before(self, moment: datetime) -> int:
        old = [key for key, (_, at) in self.storage._responses.items() if at < moment][:DELETED_AT_ONCE]
        for key in old:
            del self.storage._responses[key]
        return len(old)


@frozen
class MemoryPaymentAttempts:
    storage: MemoryStorage

    async def of_order(self, order_id: str) -> Sequence[PaymentAttempt]:
        attempts = [a for a in self.storage._attempts.values() if a.order_id == order_id]
        return sorted(attempts, key=lambda a: a.requested_at)

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[PaymentAttempt]:
        attempts = [a for a in self.storage._attempts.values() if a.order_id in order_ids]
        return sorted(attempts, key=lambda a: a.requested_at)

    async def due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        waiting = (a for a in self.storage._attempts.values() if a.status is AttemptStatus.REQUESTED)
        due = [(a.due_at or a.requested_at, a) for a in waiting]
        return [a for at, a in sorted(due, key=lambda it: it[0]) if at <= now][:limit]

    async def refunds_due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        due = [(a.due_at, a) for a in self.storage._attempts.values() if a.may_fail and a.due_at is not None]
        return [a for at, a in sorted(due, key=lambda it: it[0]) if at <= now][:limit]

    async def outstanding(self, now: datetime) -> OutstandingPayments:
        found = await self.list_outstanding(now, limit=len(self.storage._attempts))
        unsettled = [a.requested_at for a in found if a.status is AttemptStatus.REQUESTED]
        return OutstandingPayments(
            unsettled=len(unsettled),
            oldest=min(unsettled, default=None),
            declined_refunds=sum(a.status is AttemptStatus.DECLINED for a in found),
            held=sum(a.status is AttemptStatus.HELD for a in found),
        )

    async def list_outstanding(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        found = [
            a
            for a in self.storage._attempts.values()
            if (
                a.status is AttemptStatus.REQUESTED
                and not a.unconfirmed
                and (a.tries or a.requested_at < now - ANSWERED_WITHIN)
            )
            or (a.status is AttemptStatus.DECLINED and a.kind is AttemptKind.REFUND)
            or a.status is AttemptStatus.HELD
        ]
        return sorted(found, key=lambda a: a.requested_at)[:limit]


@frozen
class MemoryOrderAudit:
    storage: MemoryStorage

    async def many(self, order_ids: Sequence[str]) -> Mapping[str, Order]:
        return await self.storage.views.get_all(order_ids)

    async def count(self) -> int:
        return len(self.storage._orders)
