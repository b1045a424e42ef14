"""The ports of orders: repository, unit of work, queries, and the payment gateway."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from ...domain.errors import Conflict
from ...domain.events import OrderEvent
from ...domain.lifecycle import OrderState
from ...domain.money import Money
from ...domain.order import Order
from .idempotency import IdempotencyKey
from .payment_attempts import AttemptKind, GatewayPayment, GatewayResponse, OutstandingPayments, PaymentAttempt
from .queries import OpenOrders, OrderPage, OrderQuery, StateCount
from .write_set import WriteSet


class OrderRepository(Protocol):
    """The orders of one unit of work."""

    async def get(self, order_id: str) -> Order:
        """Return the order as last committed. Raises OrderNotFound, StorageUnavailable."""
        ...

    def save(self, order: Order) -> None:
        """Store ``order`` when the unit of work commits, which raises ConcurrentChange if it is stale."""
        ...


class EventPublisher(Protocol):
    """The publisher of the events of one unit of work."""

    def publish(self, *events: OrderEvent) -> None:
        """Publish ``events`` in this order if, and only if, the unit of work commits."""
        ...


class PaymentAttemptStore(Protocol):
    """The payment attempts of one unit of work."""

    def record(self, attempt: PaymentAttempt) -> None:
        """Store ``attempt``, new or changed (by its key), when the unit of work commits.

        An outcome is never replaced by a request without one, nor a decline by a success.
        """
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
    """Opens transactions on orders."""

    def __call__(self, *, idempotency: IdempotencyKey | None = None) -> AbstractAsyncContextManager[Transaction]:
        """Commit everything that is saved and published inside together at its end, or nothing of it.

        With ``idempotency``, the response that shows the order saved last is stored with it.
        Raises at the end: ConcurrentChange, RequestAnswered, EventTooLarge, StorageUnavailable.
        """
        ...


class Committer(Protocol):
    """Makes write sets durable."""

    async def commit(self, writes: WriteSet) -> None:
        """Store orders, events with their positions, attempts and the idempotency key, together or not at all.

        The idempotency key is taken first. Raises RequestAnswered (the key has a response already),
        ConcurrentChange (an order is no longer at the version that it was read at, or another person has decided about
        an attempt), EventTooLarge (an event has more
        bytes than Kafka accepts, so that it is refused here and never when it is published), StorageUnavailable.
        """
        ...


class GroupCommitter(Protocol):
    """Makes several write sets durable in one transaction."""

    async def commit_together(self, sets: Sequence[WriteSet]) -> Sequence[Conflict | None]:
        """Commit all sets, or none if one is refused. Returns the refusal of each set, or None.

        The sets change no order and no attempt in common, and share no idempotency key. A set without a refusal may
        be refused in the next call: keys are compared before versions. Raises EventTooLarge, StorageUnavailable.
        """
        ...


class OrderQueries(Protocol):
    """Reads orders, outside any unit of work."""

    async def get(self, order_id: str) -> Order:
        """Return an order. Raises OrderNotFound, StorageUnavailable."""
        ...

    async def get_all(self, order_ids: Collection[str]) -> Mapping[str, Order]:
        """Return those of the orders that exist, by id, in one query. Raises StorageUnavailable."""
        ...

    async def list(self, query: OrderQuery) -> OrderPage:
        """Return one page of the orders that match, in the order of the query's sort.

        The cost grows with the page; for ``available`` orders, and those longest in their state, with those that are
        not in a final state. Raises InvalidInput for a cursor that is unknown or of another query.
        """
        ...

    async def count(self, query: OrderQuery) -> Sequence[StateCount]:
        """Return the number of orders that match in each state that the query allows, without regard to its page.

        It is exact up to MOST_COUNTED. With ``q``, it may be too small if ``more`` is true.
        """
        ...

    async def still_open(self) -> Mapping[OrderState, OpenOrders]:
        """Return the orders that are not in a final state, by state; a state without orders is left out.

        The cost grows with them, not with the orders in a final state.
        """
        ...


class PaymentAttempts(Protocol):
    """Reads payment attempts."""

    async def of_order(self, order_id: str) -> Sequence[PaymentAttempt]:
        """Return all attempts of an order, in the order of their requests."""
        ...

    async def of_orders(self, order_ids: Collection[str]) -> Sequence[PaymentAttempt]:
        """Return all attempts of these orders, in the order of their requests."""
        ...

    async def due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        """Return attempts whose outcome is not known and whose next try is due, the earliest first."""
        ...

    async def refunds_due(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        """Return refunds that were made and are due to be looked up again, the earliest first."""
        ...

    async def outstanding(self, now: datetime) -> OutstandingPayments:
        """Return how many attempts are unsettled, how many refunds were declined, and how many authorizations held."""
        ...

    async def list_outstanding(self, now: datetime, *, limit: int) -> Sequence[PaymentAttempt]:
        """Return the attempts that ``outstanding`` counts, oldest first."""
        ...


class PaymentGateway(Protocol):
    """Moves money at a payment provider, once for each key; a repeated key gets the same response.

    Amounts are whole minor units of their currency (ISO 4217): ``domain.currency.minor_units`` counts them. A decline
    is a response; an error means that the outcome is unknown. Error texts and details never contain a card token or a
    key of the provider.
    """

    async def authorize(self, *, order_id: str, card_token: str, amount: Money, key: str) -> GatewayResponse:
        """Reserve ``amount`` on the card. The response is pending if the customer has to confirm it elsewhere.

        Raises GatewayUnavailable if the outcome is unknown.
        """
        ...

    async def capture(self, *, authorization: str, amount: Money, key: str) -> GatewayResponse:
        """Take an authorized amount, or a part of it; the rest is released, so that an authorization is captured once.

        The response is pending if the provider decides later. Raises GatewayUnavailable if the outcome is unknown.
        """
        ...

    async def void(self, *, authorization: str, key: str) -> GatewayResponse:
        """Release an authorization that is not captured, also one that the customer has not confirmed.

        It is declined if the authorization was captured. Raises GatewayUnavailable if the outcome is unknown.
        """
        ...

    async def refund(self, *, capture: str, amount: Money, key: str) -> GatewayResponse:
        """Give back a captured amount, or a part of it. The response is pending if the provider decides later.

        Raises GatewayUnavailable if the outcome is unknown.
        """
        ...

    async def find(self, *, kind: AttemptKind, key: str, reference: str = "") -> GatewayResponse | None:
        """Return the response to the request with ``key``, None if no such request is known. Moves no money.

        ``reference`` is the gateway's own name of that request, if it is known, else of the payment that the request
        was about. Raises GatewayUnavailable.
        """
        ...

    def payments(self, *, since: datetime) -> AsyncIterator[GatewayPayment]:
        """Yield the payments of this service that the gateway has created since then. Raises GatewayUnavailable."""
        ...
