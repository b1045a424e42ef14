"""Everything that one unit of work saves and publishes, collected before anything is sent."""

from collections.abc import Awaitable, Callable

from attrs import define, field

from ...domain.events import OrderEvent
from ...domain.order import Order
from ..request_context import Request
from .idempotency import IdempotencyRecord
from .payment_attempts import PaymentAttempt


@define(kw_only=True)
class WriteSet:
    """Everything that a committer makes durable together.

    ``request`` is what the rows of the log name as their cause: correlation id, trace and time.
    ``expected`` are the versions that the orders were read at; 0 for a new order.
    ``idempotency`` is the response to store, if the request has an idempotency key.
    """

    request: Request = field(factory=Request)
    idempotency: IdempotencyRecord | None = None
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

    def record(self, attempt: PaymentAttempt) -> None:
        self.attempts[attempt.key] = attempt

    @property
    def changed(self) -> list[Order]:
        """The saved orders that differ from what was read."""
        return [order for order in self.orders.values() if order.version != self.expected[order.id]]
