"""Prometheus metrics: the catalogue, its instruments, and the scraped gauges."""
