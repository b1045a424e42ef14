"""Examines an installation: observes it once, and applies all diagnostics."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from attrs import frozen

from ..observation import Observation
from ..observe import Observe
from . import (
    api,
    clocks,
    connections,
    consumers,
    database,
    dead_letters,
    payment_gateway,
    prices,
    tokens,
    topic,
    undelivered,
    versions,
)
from .expectations import Expectations
from .finding import Diagnostic, Finding, Severity


class DiagnosticModule(Protocol):
    """A module with the checks of one part of the installation, and the diagnostics that they may find."""

    @property
    def DIAGNOSTICS(self) -> Sequence[Diagnostic]: ...

    def check(self, observation: Observation, expected: Expectations, /) -> Iterator[Finding]: ...


MODULES: Sequence[DiagnosticModule] = (
    connections,
    versions,
    database,
    topic,
    dead_letters,
    consumers,
    undelivered,
    clocks,
    tokens,
    api,
    payment_gateway,
    prices,
)
DIAGNOSTICS: Sequence[Diagnostic] = tuple(diagnostic for module in MODULES for diagnostic in module.DIAGNOSTICS)
"""All diagnostics, by the part of the installation that they are about."""
_FIRST = list(Severity)


@frozen(kw_only=True)
class DoctorReport:
    """The result: ``findings``, the most severe first. ``reached``: every server answered."""

    findings: Sequence[Finding]
    reached: bool

    def found(self, severity: Severity) -> int:
        """Return the number of findings of that severity."""
        return sum(finding.severity is severity for finding in self.findings)


@frozen
class Examine:
    """Examines the installation against ``expected``. Raises nothing if a server does not answer."""

    observe: Observe
    expected: Expectations

    async def __call__(self) -> DoctorReport:
        observation = await self.observe(thorough=True)
        return diagnosis(observation, self.expected)


def diagnosis(observation: Observation, expected: Expectations) -> DoctorReport:
    """Return the findings of an observation."""
    findings = [finding for module in MODULES for finding in module.check(observation, expected)]
    unreached = {connections.UNANSWERED, *(it for reasons in connections.UNREACHED.values() for it in reasons.values())}
    return DoctorReport(
        findings=sorted(findings, key=lambda finding: _FIRST.index(finding.severity)),
        reached=not any(finding.diagnostic in unreached for finding in findings),
    )
