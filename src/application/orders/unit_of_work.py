"""TODO."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from attrs import frozen

from ...domain.events import OrderEvent
from .payment_attempts import PaymentAttempt
from .ports import Committer, EventPublisher, OrderRepository, PaymentAttemptStore, Transaction
from .write_set import WriteSet


@frozen
class LogPublisher:
    """Publishes by appending to the log in the order's own transaction; a relay brings it to the topic."""

    writes: WriteSet

    def publish(self, *events: OrderEvent) -> None:
        self.writes.events.extend(events)


@frozen
class WriteSetPaymentAttempts:
    writes: WriteSet

    def record(self, attempt: PaymentAttempt) -> None:
        self.writes.attempts[attempt.key] = attempt


@frozen
class WriteSetTransaction:
    orders: OrderRepository
    events: EventPublisher
    payments: PaymentAttemptStore


@frozen
class WriteSetUnitOfWork:
    """The unit of work of every adapter: gathers a write set and hands it to the committer at the end.

    Nothing is sent before that, reads aside. An exception inside commits nothing.
    """

    committer: Committer
    orders: Callable[[WriteSet], OrderRepository]
    events: Callable[[WriteSet], EventPublisher] = LogPublisher

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[Transaction]:
        writes = WriteSet()
        yield WriteSetTransaction(self.orders(writes), self.events(writes), WriteSetPaymentAttempts(writes))
        if writes:
            await self.committer.commit(writes)
            for follow in writes.after_commit:
                await follow()
