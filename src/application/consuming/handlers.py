"""An application's own functions as consumers: each event of the chosen types, in order, at least once."""

from collections.abc import Awaitable, Callable, Sequence
from inspect import iscoroutinefunction, signature

from attrs import frozen

from ...domain.errors import InvalidInput
from ...domain.events import EVENT_TYPES, OrderEvent
from ...domain.text import shown
from ..event_log.records import Delivery, LogRecord
from ..request_context import Request, answering, caused_by
from .consumer import ConsumerTransaction

Handler = Callable[[OrderEvent], Awaitable[None]]


@frozen
class HandlerConsumer:
    """Calls ``handler`` with the events of ``types``, one event a batch, so that none is repeated needlessly.

    It is called outside of any transaction, so it may call use-cases and take long. A handler that raises is called
    again a bounded number of times; then the order is parked. The use-cases that it calls carry the event's correlation
    id. After a crash between the handler's end and the cursor's move it is called once more: (order id, sequence) is
    the key to recognize that by.
    """

    name: str
    types: frozenset[str]
    handler: Handler

    async def perform(self, deliveries: Sequence[Delivery]) -> None:
        """Call the handler, within the request that caused each event."""
        for delivery in deliveries:
            if delivery.event.type in self.types:
                with answering(caused_by_record(delivery.record)):
                    await self.handler(delivery.event)

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        """Do nothing: the handler was called already."""

    async def settle(self) -> int:
        """Do nothing: nothing is requested outside."""
        return 0


def check_handler(handler: object) -> None:
    """Check that ``handler`` can be awaited with one event. Raises InvalidInput."""
    allowed = "an `async def` function of one event"
    if not (iscoroutinefunction(handler) or iscoroutinefunction(getattr(handler, "__call__", None))):  # noqa: B004
        raise InvalidInput("handler", f"{shown(handler)} is not a coroutine function", allowed)
    try:
        signature(handler).bind(None)  # type: ignore[arg-type]
    except TypeError as error:
        raise InvalidInput("handler", f"{shown(handler)} cannot be called with an event: {error}", allowed) from None


def event_types(*names: str) -> frozenset[str]:
    """Return the named event types, or all if none is named. Raises InvalidInput for an unknown name."""
    known = {event.type for event in EVENT_TYPES}
    for name in names:
        if name not in known:  # also a function: `@flow.on` without parentheses
            raise InvalidInput("event type", f"{name!r} is unknown", ", ".join(sorted(known)))
    return frozenset(names) or frozenset(known)


def caused_by_record(record: LogRecord) -> Request:
    """Return the request that a command caused by ``record`` belongs to."""
    return caused_by(record.correlation_id, record.traceparent)
