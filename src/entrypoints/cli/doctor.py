"""``orderflow doctor``: finds what is wrong with an installation."""

from typing import Annotated

from cyclopts import Parameter

from ...application.health.doctor import DoctorReport, Finding, Severity
from .session import rows, session
from .status import UNREACHED, unopened_container


async def doctor(
    *, strict: Annotated[bool, Parameter(negative=(), help="exit with 1 for warnings as well")] = False
) -> int:
    """Find what is wrong with the installation, and how to fix it.

    Exits with 1 if there are problems, and with 5 if a server does not answer. Warnings alone exit with 0.
    """
    async with unopened_container() as container:
        report: DoctorReport = await container.examine()()
    data = {
        "healthy": exit_code(report, strict=strict) == 0,
        "problems": report.found(Severity.PROBLEM),
        "warnings": report.found(Severity.WARNING),
        "findings": [_data(finding) for finding in report.findings],
    }
    columns = ("", "code", "what", "found", "expected", "how to fix it")
    session().show(data, rows(*columns, of=(_data(finding).values() for finding in report.findings)))
    problems, warnings = report.found(Severity.PROBLEM), report.found(Severity.WARNING)
    session().info(f"{problems} problems, {warnings} warnings" if report.findings else "no problems found")
    return exit_code(report, strict=strict)


def exit_code(report: DoctorReport, *, strict: bool) -> int:
    """Return the exit code for ``report``. Notes never count."""
    if not report.reached:
        return UNREACHED
    return int(bool(report.found(Severity.PROBLEM) or (strict and report.found(Severity.WARNING))))


def _data(finding: Finding) -> dict[str, str]:
    return {
        "severity": finding.severity.value,
        "code": finding.code,
        "what": finding.diagnostic.what,
        "found": finding.found,
        "expected": finding.diagnostic.expected,
        "fix": finding.fix,
    }
