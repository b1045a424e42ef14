"""What can be seen of running processes: Prometheus' metrics and OpenTelemetry's traces."""

from .metrics.instruments import Instruments
from .metrics.scrape import Scrape
from .metrics.scraped_gauges import States

__all__ = ["Instruments", "Scrape", "States"]
