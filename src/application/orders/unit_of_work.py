"""The unit of work of every adapter, and what it offers to use-cases."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from attrs import frozen

from ...domain.events import OrderEvent
from ..request_context import Request, current_request
from .idempotency import IdempotencyKey
from .payment_attempts import PaymentAttempt
from .ports import Committer, EventPublisher, OrderRepository, PaymentAttemptStore, Transaction
from .write_set import WriteSet


@frozen
class LogPublisher:
    """Publishes by appending to the log in the order's own transaction; a relay publishes it to the topic."""

    writes: WriteSet

    def publish(self, *events: OrderEvent) -> None:
        self.writes.events.extend(events)


@frozen
class WriteSetPaymentAttempts:
    """Keeps payment attempts in the write set."""

    writes: WriteSet

    def record(self, attempt: PaymentAttempt) -> None:
        self.writes.attempts[attempt.key] = attempt


@frozen
class WriteSetTransaction:
    """One unit of work in progress."""

    orders: OrderRepository
    events: EventPublisher
    payments: PaymentAttemptStore


@frozen
class WriteSetUnitOfWork:
    """Collects a write set, and hands it to the committer at the end.

    Nothing but reads is sent before that. An exception inside commits nothing. The rows of the log name ``request`` as
    their cause.
    """

    committer: Committer
    orders: Callable[[WriteSet], OrderRepository]
    events: Callable[[WriteSet], EventPublisher] = LogPublisher
    request: Callable[[], Request] = current_request

    @asynccontextmanager
    async def __call__(self, *, idempotency: IdempotencyKey | None = None) -> AsyncIterator[Transaction]:
        writes = WriteSet(request=self.request())
        yield WriteSetTransaction(self.orders(writes), self.events(writes), WriteSetPaymentAttempts(writes))
        if idempotency is not None and writes.orders:
            writes.idempotency = idempotency.record(list(writes.orders.values())[-1])
        if writes:
            await self.committer.commit(writes)
            for follow in writes.after_commit:
                await follow()
