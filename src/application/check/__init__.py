"""The check: compares orders, log, topic and the effects of consumers with each other."""

from .check_all import CheckAll
from .report import CheckReport, Comparison, Difference

__all__ = ["CheckAll", "Comparison", "Difference", "CheckReport"]
