"""The loop of each consumer: a shipped one, one that the settings list, or a handler of an embedding application."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from ..application.consuming.batch_size import BatchSize
from ..application.consuming.consumer import BatchResult
from ..application.consuming.dead_letter import DeadLetter
from ..application.consuming.declaring import Declaration
from ..application.consuming.handlers import HandlerConsumer, HandlerInBatches, StartNow
from ..application.consuming.log_source import LogEventSource
from ..application.consuming.ports import EventSource
from ..application.consuming.run_consumer import FROM_LOG, RunConsumer, begin_anywhere
from ..application.event_log.records import LogRecord, UnrecognizedRecord
from ..application.noop import noop
from ..domain.errors import InvalidInput
from .container import Container
from .settings import CONSUMERS

EventFailed = Callable[[DeadLetter, Exception], None]
Handle = Callable[[Sequence[LogRecord | UnrecognizedRecord]], Awaitable[BatchResult]]


def check_consumers(container: Container, names: Sequence[str]) -> None:
    """Import those of ``names`` that are not shipped. Raises InvalidInput for an unknown one, or one that cannot be."""
    consumers = container.consumers()
    for name in names:
        if name not in tuple(consumers):
            raise InvalidInput("consumer", f"{name!r} is unknown", ", ".join(consumers))
        consumers[name]


def consumer_loop(container: Container, name: str, *, event_failed: EventFailed = noop) -> RunConsumer:
    """Return the loop of one consumer on an open container; ``event_failed`` is called for each failure."""
    source = container.source()(name)
    if name not in CONSUMERS:
        return handler_loop(container, *container.consumers().handler(name), source, event_failed=event_failed)
    consumer = container.consumers()[name]
    return RunConsumer(
        source=source,
        handle_batch=container.handle_batch(consumer, origin=source.origin, failed=event_failed),
        consumer=consumer,
        paused=partial(container.current_rollout().pauses, name),
        missed_events=container.missed_events(name, source),
        batch=container.settings().consumer_batch,
        linger=FROM_LOG if isinstance(source, LogEventSource) else None,
        failed=partial(container.process_registration().failures.note, name),
    )


def handler_loop(
    container: Container,
    consumer: HandlerConsumer,
    declared: Declaration,
    source: EventSource,
    *,
    event_failed: EventFailed = noop,
    around: Callable[[Handle], Handle] = lambda handle: handle,
) -> RunConsumer:
    """Return the loop of a handler, which begins where it is ``declared`` to; ``around`` wraps how it handles a batch.

    Its batches are small while it is slow, so that it can be paused and stopped soon.
    """
    storage = container.storage()
    each = consumer if consumer.batch else HandlerInBatches(consumer)
    starts_now = StartNow(storage.log, storage.cursors, storage.buckets)
    return RunConsumer(
        source=source,
        handle_batch=around(container.handle_batch(each, origin=source.origin, failed=event_failed)),
        consumer=each,
        paused=partial(container.current_rollout().pauses, consumer.name),
        missed_events=container.missed_events(consumer.name, source),
        size=BatchSize(container.settings().consumer_batch),
        failed=partial(container.process_registration().failures.note, consumer.name),
        begin=starts_now if declared.start == "now" else begin_anywhere,
    )
