"""Checks of an installation: each a small function from what was seen and what is wanted to what is wrong."""

from .examine import DIAGNOSTICS, DoctorReport, Examine, diagnosis
from .expectations import Expectations
from .finding import Diagnostic, Finding, Severity

__all__ = ["DIAGNOSTICS", "Diagnostic", "Examine", "Finding", "DoctorReport", "Severity", "Expectations", "diagnosis"]
