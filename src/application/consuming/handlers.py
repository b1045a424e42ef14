"""An application's own functions as consumers: each event of the chosen types, in order, at least once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from inspect import (
    isasyncgen,
    isasyncgenfunction,
    isawaitable,
    iscoroutinefunction,
    isgenerator,
    isgeneratorfunction,
    signature,
)
from typing import Any, TypeVar

from attrs import define, field, frozen

from ...domain.errors import InvalidInput, StaleCursor, Unavailable
from ...domain.events import EVENT_TYPES, OrderEvent
from ...domain.text import shown
from ..contained import contained
from ..event_log.ports import Cursors, EventLog
from ..event_log.records import Address, Delivery
from ..request_context import answering, caused_by
from .consumer import ConsumerTransaction

T = TypeVar("T")
R = TypeVar("R")

Handler = Callable[[Any], Awaitable[None] | None]
"""Takes one event, or with ``batch`` a list of them."""


@frozen
class HandlerConsumer:
    """Calls ``handler`` with each event of ``types``, or with ``batch`` with all those of a batch together.

    It is called outside of any transaction, so it may call use-cases and take long; a function that is not ``async``
    runs on a thread. A handler that raises is called again a bounded number of times; then the order is parked. The
    use-cases that it calls carry the event's correlation id. After a crash between the handler's end and the cursor's
    move it is called once more: (order id, sequence) is the key to recognize that by.
    """

    name: str
    types: frozenset[str]
    handler: Handler
    batch: bool = False

    async def perform(self, deliveries: Sequence[Delivery]) -> None:
        """Call the handler, within the request that caused the event."""
        mine = [delivery for delivery in deliveries if delivery.event.type in self.types]
        if self.batch:
            if mine:
                await _call(self.handler, [delivery.event for delivery in mine])
            return
        for delivery in mine:
            with answering(caused_by(delivery.record.correlation_id, delivery.record.traceparent)):
                await _call(self.handler, delivery.event)

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        """Do nothing: the handler was called already."""

    async def settle(self) -> int:
        """Do nothing: nothing is requested outside."""
        return 0


@define(eq=False)
class HandlerInBatches:
    """``consumer``, whose handler takes one event, in a loop that commits many events together.

    If an event fails, the batch is tried again in parts. The handler is not called again for the events before it, and
    for the event itself once for each attempt. After a crash it is called again for the whole batch.
    """

    consumer: HandlerConsumer
    _done: set[Address] = field(factory=set, init=False)
    _failed: dict[Address, Exception] = field(factory=dict, init=False)
    """Failures in a batch, which are the first attempt of their event when it is tried alone."""

    @property
    def name(self) -> str:
        return self.consumer.name

    async def perform(self, deliveries: Sequence[Delivery]) -> None:
        """Call the handler for those of ``deliveries`` that it was not called for yet."""
        alone = len(deliveries) == 1
        for delivery in deliveries:
            address = delivery.record.address
            if address in self._done:
                continue
            if address in self._failed:
                raise self._failed.pop(address) if alone else self._failed[address]
            try:
                await self.consumer.perform([delivery])
            except Exception as failure:
                if not alone and not isinstance(failure, Unavailable | StaleCursor):
                    self._failed[address] = failure
                raise
            self._done.add(address)

    async def handle(self, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        """Do nothing: the handler was called already."""

    async def settle(self) -> int:
        """Forget the batch, which is committed."""
        self._done.clear()
        self._failed.clear()
        return 0


@frozen
class StartNow:
    """Puts the cursors of a consumer that has none at the end of the log, so that it gets later events only.

    Of several copies that begin at once, the first determines where: none skips what is left to another.
    """

    log: EventLog
    cursors: Cursors
    buckets: int

    async def __call__(self, consumer: str) -> None:
        """Set the cursors, unless there are some. Raises StorageUnavailable."""
        if await self.cursors.positions(consumer):
            return
        heads = await self.log.heads()
        await self.cursors.begin(consumer, {bucket: heads.get(bucket, 0) for bucket in range(self.buckets)})


async def _call(handler: Handler, argument: object) -> None:
    """Call ``handler`` to its end: a coroutine function here, any other function on a thread.

    Raises what the handler raises. What would end or block the consumer instead of failing the event, such as
    SystemExit, StopIteration or a cancellation within the handler, is raised as RuntimeError.
    """
    with contained("the handler"):
        if is_coroutine_function(handler):
            result: Any = handler(argument)
        else:
            result = await asyncio.to_thread(transferable, handler, argument)
        if isawaitable(result):
            result = await result
        if isgenerator(result) or isasyncgen(result):
            raise RuntimeError(f"the handler returned a {type(result).__name__}: nothing of it has run")


def transferable(function: Callable[[T], R], argument: T) -> R:
    """Call ``function`` on a thread whose result is awaited.

    Raises RuntimeError for StopIteration, which no future takes, and GeneratorExit, which would end who awaits it.
    """
    try:
        return function(argument)
    except (StopIteration, GeneratorExit) as error:
        raise RuntimeError(f"the handler raised {type(error).__name__} {error}".rstrip()) from error


def is_coroutine_function(handler: object) -> bool:
    """Return whether calling ``handler`` only makes a coroutine."""
    return iscoroutinefunction(handler) or iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def check_handler(handler: object) -> None:
    """Check that ``handler`` can be called with one argument. Raises InvalidInput.

    A generator is refused, because calling it would run nothing of it.
    """
    allowed = "a function of one event, `async def` or plain"
    name = getattr(handler, "__qualname__", None) or shown(handler)
    if not callable(handler) or isinstance(handler, type):
        raise InvalidInput("handler", f"{name} is not a function", allowed)
    called = getattr(handler, "__call__", None)  # noqa: B004
    if any(isgeneratorfunction(each) or isasyncgenfunction(each) for each in (handler, called)):
        raise InvalidInput("handler", f"{name} is a generator: it has a `yield`", allowed)
    try:
        signature(handler).bind(None)
    except TypeError:
        takes = ", ".join(signature(handler).parameters) or "nothing"
        raise InvalidInput("handler", f"{name} cannot be called with one event: it takes {takes}", allowed) from None
    except ValueError:  # a function in C, which has no signature
        return


def event_types(*types: str | type[OrderEvent], field: str = "event type") -> frozenset[str]:
    """Return the names of event types, or of all if none is given. Raises InvalidInput for what is no event type."""
    known = {event.type for event in EVENT_TYPES}
    found = set()
    for each in types:
        if each is OrderEvent:
            return frozenset(known)
        name = each.type if isinstance(each, type) and issubclass(each, OrderEvent) and each in EVENT_TYPES else each
        if not isinstance(name, str) or name not in known:  # also a function: `@flow.on` without parentheses
            classes = ", ".join(event.__name__ for event in EVENT_TYPES)
            raise InvalidInput(field, f"{shown(each)} is unknown", f"{classes}, or {', '.join(sorted(known))}")
        found.add(name)
    return frozenset(found) or frozenset(known)
