"""Use-cases, committer and relay topic, each with a span around it and a line about it.

The container wraps them; none of them knows. The attributes of what goes over Kafka are OpenTelemetry's messaging
conventions: https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

from attrs import frozen
from opentelemetry.trace import SpanKind

from ....application.event_log.records import LogRecord, about
from ....application.log_lines import belonging_to, log_each
from ....application.orders.ports import Committer
from ....application.orders.write_set import WriteSet
from ....application.recovery.epochs import BEGINNING, Epochs
from ....application.redaction import code_of
from ....application.relay.ports import OnFlushed, RelayTopic, noop
from ....application.request_context import answering, begun, current_request
from .tracing import Tracing, sampled

commands = logging.getLogger("orderflow.commands")
publishing = logging.getLogger("orderflow.relay")


@frozen
class Destination:
    """Where events go and come from: a topic of Kafka, or the log itself where there is none."""

    name: str
    system: str = "kafka"

    def group(self, consumer: str) -> str:
        """The consumer group of that consumer."""
        return f"{self.name}-{consumer}"


@frozen
class TracedCommand:
    """The use-case ``call`` as one request: all that it causes has one correlation id and one trace.

    Both are made here where no door gave them; a trace that nobody records joins lines and events all the same.
    """

    command: str
    call: Callable[..., Awaitable[Any]]
    tracing: Tracing
    new_id: Callable[[], str]

    async def __call__(self, *arguments: Any, **named: Any) -> Any:
        traced = self.tracing.on
        with answering(begun(current_request(), self.command, new_id=self.new_id, traced=traced)):
            if not traced:
                return await self.call(*arguments, **named)
            with self.tracing.span(self.command):
                return await self.call(*arguments, **named)


@frozen
class TracedCommitter:
    """A line for every order that a commit has changed."""

    committer: Committer
    tracing: Tracing

    async def commit(self, writes: WriteSet) -> None:
        began = perf_counter()
        if self.tracing.on:
            with self.tracing.span("commit", attributes={"orderflow.events": len(writes.events)}):
                await self.committer.commit(writes)
        else:
            await self.committer.commit(writes)
        if writes.events and commands.isEnabledFor(logging.INFO):
            log_each(commands, logging.INFO, "order changed", _changes(writes, perf_counter() - began))


def _changes(writes: WriteSet, seconds: float) -> Iterator[Mapping[str, object]]:
    types = defaultdict(list)
    for event in writes.events:
        types[event.order_id].append(event)
    for order_id, events in types.items():
        yield {
            **belonging_to(writes.request),
            "order_id": order_id,
            "event_id": events[-1].id,
            "duration": round(seconds, 6),
            "command": writes.request.command,
            "types": [event.type for event in events],
            "sequence": events[-1].sequence,
        }


@frozen
class TracedRelayTopic:
    """A debug line for every batch and one for each of its events; a ``send`` span in the trace of each event."""

    topic: RelayTopic
    tracing: Tracing
    destination: Destination

    async def cursors(self, epochs: Epochs = BEGINNING) -> Mapping[int, int | None]:
        return await self.topic.cursors(epochs)

    async def marks(self) -> Mapping[int, int]:
        return await self.topic.marks()

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        began = perf_counter()
        failure = ""
        try:
            await self.topic.publish(records, on_flushed)
        except Exception as error:
            failure = code_of(error)
            raise
        finally:
            self._told(records, perf_counter() - began, failure)

    async def close(self) -> None:
        await self.topic.close()

    def _told(self, records: Sequence[LogRecord], seconds: float, failure: str) -> None:
        if self.tracing.on:
            sends(self.tracing, self.destination, records, seconds, failure)
        if publishing.isEnabledFor(logging.DEBUG):
            outcome = {"duration": round(seconds, 6), **({"error": {"code": failure}} if failure else {})}
            publishing.debug(
                "batch published", extra={**outcome, "events": len(records), "topic": self.destination.name}
            )
            log_each(publishing, logging.DEBUG, "published", ({**about(it), **outcome} for it in records))


def sends(tracing: Tracing, to: Destination, records: Sequence[LogRecord], seconds: float, failure: str) -> None:
    """A span ``send`` for each of these whose trace is recorded; they went together and took so long."""
    for record in records:
        if sampled(record.traceparent):
            tracing.past(
                f"send {to.name}",
                SpanKind.PRODUCER,
                record.traceparent,
                seconds,
                attributes=_of_message(to, "send", record, len(records)),
                error=failure,
            )


@frozen
class TracedHandling:
    """A ``process`` span in the trace of each event that a consumer has handled, or failed at."""

    tracing: Tracing
    source: Destination

    def __call__(self, consumer: str, records: Sequence[LogRecord], *, seconds: float, failure: str) -> None:
        if not self.tracing.on:
            return
        for record in records:
            if sampled(record.traceparent):
                self.tracing.past(
                    f"process {self.source.name}",
                    SpanKind.CONSUMER,
                    record.traceparent,
                    seconds,
                    attributes={
                        **_of_message(self.source, "process", record, len(records)),
                        "messaging.consumer.group.name": self.source.group(consumer),
                        "orderflow.consumer": consumer,
                    },
                    error=failure,
                )


def _of_message(at: Destination, operation: str, record: LogRecord, batch: int) -> dict[str, str | int]:
    return {
        "messaging.system": at.system,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": at.name,
        "messaging.message.id": record.event_id,
        "messaging.message.conversation_id": record.correlation_id,
        "messaging.message.body.size": len(record.body),
        "messaging.kafka.message.key": record.order_id,
        "messaging.batch.message_count": batch,
        "orderflow.event.type": record.type,
    }
