"""The ports of orders: repository, unit of work, queries, and the payment gateway."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ...domain.events import OrderEvent
from ...domain.lifecycle import OrderState
from ...domain.money import Money
from ...domain.order import Order
from .idempotency import IdempotencyKey
from .payment_attempts import GatewayAnswer, PaymentAttempt
from .queries import OpenOrders, OrderPage, OrderQuery
from .write_set import WriteSet


class OrderRepository(Protocol):
    """The orders of one unit of work."""

    async def get(self, order_id: str) -> Order:
        """The order as last committed. Raises OrderNotFound, StorageUnavailable."""
        ...

    def save(self, order: Order) -> None:
        """Keep ``order`` when the unit of work commits; refused there with ConcurrentChange when it is stale."""
        ...


class EventPublisher(Protocol):
    """The way of events out of one unit of work."""

    def publish(self, *events: OrderEvent) -> None:
        """Publish ``events`` in this order if, and only if, the unit of work commits."""
        ...


class PaymentAttemptStore(Protocol):
    def record(self, attempt: PaymentAttempt) -> None:
        """Keep ``attempt``, new or as it is now (by its key), when the unit of work commits."""
        ...


class Transaction(Protocol):
    """One unit of work in progress."""

    @property
    def orders(self) -> OrderRepository: ...

    @property
    def events(self) -> EventPublisher: ...

    @property
    def payments(self) -> PaymentAttemptStore: ...


class UnitOfWork(Protocol):
    def __call__(self, *, idempotency: IdempotencyKey | None = None) -> AbstractAsyncContextManager[Transaction]:
        """Commit everything that is saved and published inside together at its end, or nothing of it.

        With ``idempotency``, the response that shows the order saved last is stored with it.
        Raises at the end: ConcurrentChange, KeyReused or RequestAnswered, EventTooLarge, StorageUnavailable.
        """
        ...


class Committer(Protocol):
    """The one place where write sets become durable."""

    async def commit(self, writes: WriteSet) -> None:
        """Orders, events with their positions, attempts and the idempotency key: together, durably, or not at all.

        The idempotency key is taken first. Raises RequestAnswered (the key has an answer already),
        ConcurrentChange (an order is no longer at the version it was read at), EventTooLarge (an event has more
        bytes than Kafka takes, which is found out here and never when it is published), StorageUnavailable.
        """
        ...


class OrderQueries(Protocol):
    """Reading, outside any unit of work."""

    async def get(self, order_id: str) -> Order:
        """Raises OrderNotFound, StorageUnavailable."""
        ...

    async def list(self, query: OrderQuery) -> OrderPage:
        """The orders that match, newest first, a page at a time. Raises InvalidInput for a cursor not of ours."""
        ...

    async def still_open(self) -> Mapping[OrderState, OpenOrders]:
        """The orders that are not in a final state, by state; a state without any is not named.

        What it costs grows with them, not with the orders that have ended.
        """
        ...


class PaymentAttempts(Protocol):
    async def of_order(self, order_id: str) -> Sequence[PaymentAttempt]:
        """All attempts of an order, in the order they were asked."""
        ...

    async def unsettled_refunds(self, limit: int = 100) -> Sequence[PaymentAttempt]:
        """Refunds that were promised and whose outcome is not known yet, oldest first."""
        ...


class PaymentGateway(Protocol):
    """Moves money. The same key asked twice moves it once and answers the same."""

    async def authorize(self, *, card_token: str, amount: Money, key: str) -> GatewayAnswer:
        """Reserve ``amount`` on the card. Raises GatewayUnavailable when the outcome is not known."""
        ...

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayAnswer:
        """Take what was authorized. Raises GatewayUnavailable when the outcome is not known."""
        ...

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayAnswer:
        """Give back what was captured. Raises GatewayUnavailable when the outcome is not known."""
        ...
