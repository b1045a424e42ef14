"""``orderflow doctor``: what is wrong with an installation, and how to mend it."""

from typing import Annotated

from cyclopts import Parameter

from ...application.health.doctor import DoctorReport, Finding, Severity
from .session import rows, session
from .status import UNREACHED, looking


async def doctor(
    *, strict: Annotated[bool, Parameter(negative=(), help="warnings count as problems do")] = False
) -> int:
    """Check this installation, and say of everything that is wrong how it is mended.

    Exit 0 when nothing is wrong, also with warnings alone; 1 with problems; 5 when a server gave no answer.
    """
    async with looking() as container:
        report: DoctorReport = await container.examine()()
    data = {
        "healthy": exit_code(report, strict=strict) == 0,
        "problems": report.found(Severity.PROBLEM),
        "warnings": report.found(Severity.WARNING),
        "findings": [_told(finding) for finding in report.findings],
    }
    columns = ("", "code", "what", "found", "wanted", "how to mend it")
    session().show(data, rows(*columns, of=(_told(finding).values() for finding in report.findings)))
    problems, warnings = report.found(Severity.PROBLEM), report.found(Severity.WARNING)
    session().say(f"{problems} problems, {warnings} warnings" if report.findings else "nothing is wrong")
    return exit_code(report, strict=strict)


def exit_code(report: DoctorReport, *, strict: bool) -> int:
    """Notes never count."""
    if not report.reached:
        return UNREACHED
    return int(bool(report.found(Severity.PROBLEM) or (strict and report.found(Severity.WARNING))))


def _told(finding: Finding) -> dict[str, str]:
    return {
        "severity": finding.severity.value,
        "code": finding.code,
        "what": finding.diagnostic.what,
        "found": finding.found,
        "wanted": finding.diagnostic.wanted,
        "mend": finding.mend,
    }
