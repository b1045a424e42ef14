"""Waiting for a condition until a deadline, as ``orderflow.testing`` does it."""

from orderflow.testing.waiting import eventually, eventually_async

__all__ = ["eventually", "eventually_async"]
