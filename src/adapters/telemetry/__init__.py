"""What can be seen of running processes: Prometheus' metrics and OpenTelemetry's traces."""

from .instruments import Instruments
from .scrape import Scrape
from .states import States

__all__ = ["Instruments", "Scrape", "States"]
