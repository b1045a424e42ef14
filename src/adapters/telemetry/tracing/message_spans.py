"""Spans of messages, by OpenTelemetry's conventions.

Source: https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
"""

from collections.abc import Sequence

from attrs import frozen
from opentelemetry.trace import SpanKind

from ....application.event_log.records import LogRecord
from .tracing import Attributes, Tracing, sampled


@frozen
class Destination:
    """The topic of Kafka that events travel through, or the log itself if there is none."""

    name: str = "order_events"
    system: str = "orderflow"

    def group(self, consumer: str) -> str:
        """Return the consumer group of ``consumer``."""
        return f"{self.name}-{consumer}"


def trace_sent(tracing: Tracing, to: Destination, records: Sequence[LogRecord], seconds: float, failure: str) -> None:
    """Record a span ``send`` in the trace of each of ``records``, which were sent together in ``seconds``."""
    _trace(tracing, SpanKind.PRODUCER, "send", to, records, seconds, failure, {})


def trace_processed(
    tracing: Tracing, source: Destination, consumer: str, records: Sequence[LogRecord], seconds: float, failure: str
) -> None:
    """Record a span ``process`` in the trace of each of ``records``, which ``consumer`` has handled, or failed at."""
    reader = {"messaging.consumer.group.name": source.group(consumer), "orderflow.consumer": consumer}
    _trace(tracing, SpanKind.CONSUMER, "process", source, records, seconds, failure, reader)


def _trace(
    tracing: Tracing,
    kind: SpanKind,
    operation: str,
    at: Destination,
    records: Sequence[LogRecord],
    seconds: float,
    failure: str,
    more: Attributes,
) -> None:
    """Record a span for each of ``records`` whose trace is sampled, if spans are recorded at all."""
    if not tracing.on:
        return
    for record in records:
        if sampled(record.traceparent):
            attributes = {
                "messaging.system": at.system,
                "messaging.operation.name": operation,
                "messaging.operation.type": operation,
                "messaging.destination.name": at.name,
                "messaging.message.id": record.event_id,
                "messaging.message.conversation_id": record.correlation_id,
                "messaging.message.body.size": len(record.body),
                "messaging.kafka.message.key": record.order_id,
                "messaging.batch.message_count": len(records),
                "orderflow.event.type": record.type,
                **more,
            }
            tracing.past(
                f"{operation} {at.name}", kind, record.traceparent, seconds, attributes=attributes, error=failure
            )
