"""The doctor: compares an observation of an installation with what is expected, and reports findings."""

from .examine import DIAGNOSTICS, DoctorReport, Examine, diagnosis
from .expectations import Expectations
from .finding import Diagnostic, Finding, Severity

__all__ = ["DIAGNOSTICS", "Diagnostic", "Examine", "Finding", "DoctorReport", "Severity", "Expectations", "diagnosis"]
