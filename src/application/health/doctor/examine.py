"""Examines an installation: observes it once, and applies all diagnostics."""

from collections.abc import Callable, Iterator, Sequence

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
    prices,
    tokens,
    topic,
    undelivered,
    versions,
)
from .expectations import Expectations
from .finding import Diagnostic, Finding, Severity

Check = Callable[[Observation, Expectations], Iterator[Finding]]

CHECKS: Sequence[Check] = (
    connections.check,
    versions.check,
    database.check,
    topic.check,
    dead_letters.check,
    consumers.check,
    undelivered.check,
    clocks.check,
    tokens.check,
    api.check,
    prices.check,
)
DIAGNOSTICS: Sequence[Diagnostic] = (
    *connections.DIAGNOSTICS,
    *versions.DIAGNOSTICS,
    *database.DIAGNOSTICS,
    *topic.DIAGNOSTICS,
    *dead_letters.DIAGNOSTICS,
    *consumers.DIAGNOSTICS,
    *undelivered.DIAGNOSTICS,
    *clocks.DIAGNOSTICS,
    *tokens.DIAGNOSTICS,
    *api.DIAGNOSTICS,
    *prices.DIAGNOSTICS,
)
"""All diagnostics, by the part of the installation that they are about."""
_FIRST = list(Severity)


@frozen(kw_only=True)
class DoctorReport:
    """The result: ``findings``, the most severe first. ``reached``: every server answered."""

    observation: Observation
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
    findings = [finding for check in CHECKS for finding in check(observation, expected)]
    unreached = {diagnostic.code for server in connections.UNREACHED.values() for diagnostic in server.values()}
    unreached.add(connections.UNANSWERED.code)
    return DoctorReport(
        observation=observation,
        findings=sorted(findings, key=lambda finding: _FIRST.index(finding.severity)),
        reached=not any(
            finding.code in unreached or finding.code == connections.UNANSWERED.code for finding in findings
        ),
    )
