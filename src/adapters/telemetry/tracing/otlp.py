"""The OpenTelemetry SDK and its OTLP exporter over HTTP. Needs the extra ``orderflow-service[otlp]``."""

import asyncio
import os
import socket
from importlib.metadata import version

from attrs import define
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

EXPORT_SECONDS = 5
"""The time-out of one export to the collector, and of the last one at shutdown."""
PAUSE_MS = 1000


@define(eq=False)
class Exporting:
    """Spans go to ``endpoint`` (``http://host:4318/v1/traces``) from a thread of their own; if it is down, nowhere.

    Of the traces that begin here ``ratio`` are recorded; one that began elsewhere is recorded where it is there.
    """

    provider: TracerProvider

    @classmethod
    def to(cls, endpoint: str, *, service: str, ratio: float) -> "Exporting":
        resource = Resource.create(
            {
                "service.name": service,
                "service.version": version("orderflow-service"),
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            }
        )
        provider = TracerProvider(
            resource=resource, sampler=ParentBased(TraceIdRatioBased(ratio)), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
        provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=PAUSE_MS, export_timeout_millis=EXPORT_SECONDS * 1000)
        )
        return cls(provider)

    async def close(self) -> None:
        """Send what is still here."""
        await asyncio.to_thread(self.provider.shutdown)
