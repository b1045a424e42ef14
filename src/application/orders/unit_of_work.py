"""The unit of work of every adapter, and what it offers to use-cases."""

from collections.abc import Awaitable, Callable
from types import TracebackType

from attrs import define, frozen

from ...domain.events import OrderEvent
from ...domain.order import Order
from ..request_context import Request, current_request
from .idempotency import IdempotencyKey
from .ports import Committer, EventPublisher, OrderRepository, PaymentAttemptStore, Transaction
from .write_set import WriteSet


@frozen
class LogPublisher:
    """Publishes by appending to the log in the order's own transaction; a relay publishes it to the topic."""

    writes: WriteSet

    def publish(self, *events: OrderEvent) -> None:
        self.writes.events.extend(events)


@frozen
class WriteSetOrders:
    """The orders of one unit of work. Reads committed orders, and adds saved ones to the write set."""

    read: Callable[[str], Awaitable[Order]]
    writes: WriteSet

    async def get(self, order_id: str) -> Order:
        order = await self.read(order_id)
        self.writes.loaded(order)
        return order

    def save(self, order: Order) -> None:
        self.writes.save(order)


@frozen
class WriteSetTransaction:
    """One unit of work in progress."""

    orders: OrderRepository
    events: EventPublisher
    payments: PaymentAttemptStore


@define(eq=False)
class _Block:
    """Commits at its end, unless an exception leaves it. Written out, because a generator takes twice the time."""

    _transaction: WriteSetTransaction
    _writes: WriteSet
    _committer: Committer
    _idempotency: IdempotencyKey | None

    async def __aenter__(self) -> Transaction:
        return self._transaction

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            return
        writes = self._writes
        if self._idempotency is not None and writes.orders:
            writes.idempotency = self._idempotency.record(list(writes.orders.values())[-1])
        if writes:
            await self._committer.commit(writes)
            for follow in writes.after_commit:
                await follow()


@frozen
class WriteSetUnitOfWork:
    """Collects a write set, and hands it to the committer at the end.

    ``read`` returns a committed order. Nothing but reads is sent before the end, and an exception inside commits
    nothing. The rows of the log name ``request`` as their cause.
    """

    committer: Committer
    read: Callable[[str], Awaitable[Order]]
    events: Callable[[WriteSet], EventPublisher] = LogPublisher
    request: Callable[[], Request] = current_request

    def __call__(self, *, idempotency: IdempotencyKey | None = None) -> _Block:
        writes = WriteSet(request=self.request())
        transaction = WriteSetTransaction(WriteSetOrders(self.read, writes), self.events(writes), writes)
        return _Block(transaction, writes, self.committer, idempotency)
