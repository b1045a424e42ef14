"""Diagnostics and findings: what may be wrong, with a stable code, what is required, and how to fix it."""

from enum import StrEnum

from attrs import frozen


class Severity(StrEnum):
    PROBLEM = "problem"
    """A guarantee is broken, or will be."""
    WARNING = "warning"
    """It works, but should be changed."""
    NOTE = "note"
    """The doctor could not check something."""


@frozen(kw_only=True)
class Diagnostic:
    """A diagnostic rule. ``code`` never changes its meaning. ``fix`` says what to do, with a command if possible."""

    code: str
    severity: Severity
    what: str
    expected: str
    fix: str

    def found(self, what: str, *, fix: str = "") -> "Finding":
        """Return a finding with the facts that were found; ``fix`` if this case has a fix of its own."""
        return Finding(diagnostic=self, found=what, fix=fix or self.fix)


@frozen(kw_only=True)
class Finding:
    """One diagnostic that applies to an installation."""

    diagnostic: Diagnostic
    found: str
    fix: str

    @property
    def code(self) -> str:
        return self.diagnostic.code

    @property
    def severity(self) -> Severity:
        return self.diagnostic.severity


def problem(code: str, what: str, *, expected: str, fix: str) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.PROBLEM, what=what, expected=expected, fix=fix)


def warning(code: str, what: str, *, expected: str, fix: str) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.WARNING, what=what, expected=expected, fix=fix)


def note(code: str, what: str, *, expected: str, fix: str) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.NOTE, what=what, expected=expected, fix=fix)
