"""Measurements: what orderflow does against the bare thing that does the same, in ratios. See docs/benchmarks.md."""
