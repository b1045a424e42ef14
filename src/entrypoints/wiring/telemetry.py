"""What the container builds so that spans and lines tell of use-cases, commits, publishing and handling."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen

from ...adapters.telemetry.metrics.instrumented import (
    InstrumentedCommand,
    InstrumentedCommitter,
    InstrumentedPublishing,
)
from ...adapters.telemetry.metrics.instruments import Instruments
from ...adapters.telemetry.tracing.traced import Destination, TracedCommand, TracedCommitter, sends
from ...adapters.telemetry.tracing.tracing import Tracing
from ...application.event_log.records import LogRecord
from ...application.orders.ports import Committer
from ...domain.errors import NotConfigured
from ..settings import Settings


def tracing(settings: Settings) -> Tracing:
    """Spans to where the settings say; else to the application around us, if it listens."""
    if not settings.tracing_endpoint:
        return Tracing()
    try:
        from ...adapters.telemetry.tracing.otlp import Exporting
    except ModuleNotFoundError as e:
        raise NotConfigured("sending spans needs OpenTelemetry's SDK", "pip install 'orderflow-service[otlp]'") from e
    exporting = Exporting.to(
        settings.tracing_endpoint, service=settings.service_name, ratio=settings.tracing_sample_ratio
    )
    return Tracing(exporting.provider, exporting.close)


def destination(settings: Settings) -> Destination:
    """Where this installation's events travel."""
    if settings.uses_kafka:
        return Destination(settings.topic)
    return Destination("order_events", system="orderflow")


def record_locator(kafka: Any) -> Any:
    from ...adapters.kafka.record_locator import KafkaRecordLocator

    return KafkaRecordLocator(kafka)


@frozen
class Around:
    """What stands around use-cases and commits: they are counted, told and traced."""

    instruments: Instruments
    tracing: Tracing
    new_id: Callable[[], str]

    def command(self, name: str, call: Callable[..., Awaitable[Any]]) -> TracedCommand:
        return TracedCommand(name, InstrumentedCommand(name, call, self.instruments), self.tracing, self.new_id)

    def committer(self, committer: Committer) -> TracedCommitter:
        return TracedCommitter(InstrumentedCommitter(committer, self.instruments), self.tracing)


def command(around: Around, name: str, call: Callable[..., Awaitable[Any]]) -> TracedCommand:
    return around.command(name, call)


def committer(around: Around, committer: Committer) -> TracedCommitter:
    return around.committer(committer)


def observe_direct_publishing(
    around: Around, destination: Destination
) -> Callable[[Sequence[LogRecord], Sequence[bool], float], None]:
    """What direct publishing tells of each unit of work."""
    counted = InstrumentedPublishing(around.instruments, "direct")

    def told(records: Sequence[LogRecord], delivered: Sequence[bool], seconds: float) -> None:
        counted(records, delivered, seconds)
        if around.tracing.on:
            sent = [record for record, ok in zip(records, delivered, strict=True) if ok]
            lost = [record for record, ok in zip(records, delivered, strict=True) if not ok]
            sends(around.tracing, destination, sent, seconds, "")
            sends(around.tracing, destination, lost, seconds, "stream_unavailable")

    return told
