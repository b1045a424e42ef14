"""An application's own functions as a consumer: each event of the asked types, in order, at least once."""

from collections.abc import Awaitable, Callable, Sequence

from attrs import frozen

from ...domain.errors import InvalidInput
from ...domain.events import EVENT_TYPES, OrderEvent
from ..event_log.records import Delivery, LogRecord
from ..request_context import Request, answering, caused_by
from .consumer import ConsumerTransaction

Handler = Callable[[OrderEvent], Awaitable[None]]


@frozen
class HandlerConsumer:
    """Calls ``handler`` with the events of ``types``; one event a batch, so that none is told twice without need.

    It is called outside of any transaction, so it may use the use-cases and take its time. A handler that raises is
    asked again a bounded number of times; then the order is parked. What it asks the use-cases for carries the event's
    correlation id. After a crash between the handler's end and the
    cursor's move it is told once more: (order id, sequence) is the key to recognise it by.
    """

    name: str
    types: frozenset[str]
    handler: Handler

    async def perform(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if delivery.event.type in self.types:
                with answering(caused_by_record(delivery.record)):
                    await self.handler(delivery.event)

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        """All is done already."""

    async def settle(self) -> int:
        return 0


def event_types(*names: str) -> frozenset[str]:
    """The named event types, all where none is named. Raises InvalidInput for a name that there is not."""
    known = {event.type for event in EVENT_TYPES}
    for name in names:
        if name not in known:
            raise InvalidInput("event type", f"{name!r} is none", ", ".join(sorted(known)))
    return frozenset(names) or frozenset(known)


def caused_by_record(record: LogRecord) -> Request:
    return caused_by(record.correlation_id, record.traceparent)
