"""Checks of an installation: each a small function from what was seen and what is wanted to what is wrong."""

from .examine import AILMENTS, Examine, Report, diagnosis
from .expectations import Wanted
from .finding import Ailment, Finding, Severity

__all__ = ["AILMENTS", "Ailment", "Examine", "Finding", "Report", "Severity", "Wanted", "diagnosis"]
