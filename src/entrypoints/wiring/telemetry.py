"""The tracing that the container builds, and the destination that spans name."""

from ...adapters.telemetry.tracing.message_spans import Destination
from ...adapters.telemetry.tracing.tracing import Tracing
from ...domain.errors import NotConfigured
from ..settings import Settings


def tracing(settings: Settings) -> Tracing:
    """Return tracing to the collector of the settings; without one, to the surrounding application's, if it has any.

    Raises NotConfigured without the extra ``otlp``.
    """
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
    """Return the topic that this installation's events travel through, or the log."""
    return Destination(settings.topic, system="kafka") if settings.uses_kafka else Destination()
