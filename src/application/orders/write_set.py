"""What one unit of work saves and publishes, gathered before anything is sent."""

from collections.abc import Awaitable, Callable

from attrs import define, field

from ...domain.events import OrderEvent
from ...domain.order import Order
from ..request_context import Request, current_request
from .payment_attempts import PaymentAttempt


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
