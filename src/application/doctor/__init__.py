"""Checks of an installation: each a small function from what was seen and what is wanted to what is wrong."""

from .ailments import Ailment, Finding, Severity
from .examine import AILMENTS, Examine, Report, diagnosis
from .wanted import Wanted

__all__ = ["AILMENTS", "Ailment", "Examine", "Finding", "Report", "Severity", "Wanted", "diagnosis"]
