"""What one unit of work saves and publishes, gathered before anything is sent."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from attrs import define, field, frozen

from ..domain.events import OrderEvent
from ..domain.order import Order
from .payments import PaymentAttempt
from .ports import Committer, EventPublisher, OrderRepository, PaymentBook, Work
from .request import Request, current_request


@define(kw_only=True)
class WriteSet:
    """Handed to a committer whole. ``expected`` are the versions that the orders were read at; 0: not there."""

    request: Request = field(factory=current_request)
    orders: dict[str, Order] = field(factory=dict)
    expected: dict[str, int] = field(factory=dict)
    events: list[OrderEvent] = field(factory=list)
    attempts: dict[str, PaymentAttempt] = field(factory=dict)
    after_commit: list[Callable[[], Awaitable[None]]] = field(factory=list)

    def __bool__(self) -> bool:
        return bool(self.orders or self.events or self.attempts)

    def loaded(self, order: Order) -> None:
        """Remember the version that ``order`` was read at."""
        self.expected[order.id] = order.version

    def save(self, order: Order) -> None:
        self.orders[order.id] = order
        self.expected.setdefault(order.id, 0)

    @property
    def changed(self) -> list[Order]:
        """The saved orders that differ from what was read."""
        return [order for order in self.orders.values() if order.version != self.expected[order.id]]

    @property
    def answer(self) -> bytes | None:
        """What the idempotency key of this set's request will answer from now on; None without key or order."""
        if self.request.idempotency is None or not self.orders:
            return None
        return self.request.idempotency.answer(list(self.orders.values())[-1])


@frozen
class LogPublisher:
    """Publishes by appending to the log in the order's own transaction; a relay brings it to the topic."""

    writes: WriteSet

    def publish(self, *events: OrderEvent) -> None:
        self.writes.events.extend(events)


@frozen
class GatheringPaymentBook:
    writes: WriteSet

    def record(self, attempt: PaymentAttempt) -> None:
        self.writes.attempts[attempt.key] = attempt


@frozen
class GatheringWork:
    orders: OrderRepository
    events: EventPublisher
    payments: PaymentBook


@frozen
class GatheringUnitOfWork:
    """The unit of work of every adapter: gathers a write set and hands it to the committer at the end.

    Nothing is sent before that, reads aside. An exception inside commits nothing.
    """

    committer: Committer
    orders: Callable[[WriteSet], OrderRepository]
    events: Callable[[WriteSet], EventPublisher] = LogPublisher

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Work]:
        writes = WriteSet()
        yield GatheringWork(self.orders(writes), self.events(writes), GatheringPaymentBook(writes))
        if writes:
            await self.committer.commit(writes)
            for follow in writes.after_commit:
                await follow()
