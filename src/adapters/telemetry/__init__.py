"""Observability: Prometheus' metrics, OpenTelemetry's traces, and log lines."""

from .metrics.instruments import Instruments
from .metrics.scrape import Scrape
from .metrics.scraped_gauges import States

__all__ = ["Instruments", "Scrape", "States"]
