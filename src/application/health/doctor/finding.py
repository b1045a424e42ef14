"""What may ail an installation: each thing with a stable code, what is wanted instead, and how to get there."""

from enum import StrEnum

from attrs import frozen


class Severity(StrEnum):
    PROBLEM = "problem"
    """A promise is not kept, or will not be."""
    WARNING = "warning"
    """It works, and would be better otherwise."""
    NOTE = "note"
    """Something that the doctor could not look at."""


@frozen(kw_only=True)
class Diagnostic:
    """``code`` never changes its meaning. ``mend`` says what to do, with a command where there is one."""

    code: str
    severity: Severity
    what: str
    wanted: str
    mend: str

    def found(self, what: str, *, mend: str = "") -> "Finding":
        """That this is so, with what was seen; ``mend`` where this case is mended in a way of its own."""
        return Finding(diagnostic=self, found=what, mend=mend or self.mend)


@frozen(kw_only=True)
class Finding:
    """One ailment that an installation has."""

    diagnostic: Diagnostic
    found: str
    mend: str

    @property
    def code(self) -> str:
        return self.diagnostic.code

    @property
    def severity(self) -> Severity:
        return self.diagnostic.severity


def problem(code: str, what: str, *, wanted: str, mend: str) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.PROBLEM, what=what, wanted=wanted, mend=mend)


def warning(code: str, what: str, *, wanted: str, mend: str) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.WARNING, what=what, wanted=wanted, mend=mend)


def note(code: str, what: str, *, wanted: str, mend: str) -> Diagnostic:
    return Diagnostic(code=code, severity=Severity.NOTE, what=what, wanted=wanted, mend=mend)
