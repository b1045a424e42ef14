"""The checker: orders, log, topic and effects, compared with each other."""

from .check_all import CheckAll
from .report import CheckReport, Comparison, Difference

__all__ = ["CheckAll", "Comparison", "Difference", "CheckReport"]
