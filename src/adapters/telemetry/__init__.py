"""What can be seen of running processes: Prometheus' metrics and OpenTelemetry's traces."""

from .instruments import Instruments

__all__ = ["Instruments"]
