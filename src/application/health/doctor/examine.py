"""The doctor: one look at the installation, and everything that is wrong with it."""

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from ..observation import Observation
from ..observe import Observe
from . import clocks, database, topic, versions
from . import connections as reach
from . import consumers as readers
from . import dead_letters as letters
from . import tokens as door
from .expectations import Expectations
from .finding import Diagnostic, Finding, Severity

Check = Callable[[Observation, Expectations], Iterator[Finding]]

CHECKS: Sequence[Check] = (
    reach.check,
    versions.check,
    database.check,
    topic.check,
    letters.check,
    readers.check,
    clocks.check,
    door.check,
)
DIAGNOSTICS: Sequence[Diagnostic] = (
    *reach.DIAGNOSTICS,
    *versions.DIAGNOSTICS,
    *database.DIAGNOSTICS,
    *topic.DIAGNOSTICS,
    *letters.DIAGNOSTICS,
    *readers.DIAGNOSTICS,
    *clocks.DIAGNOSTICS,
    *door.DIAGNOSTICS,
)
"""All that can be found, by the part of the installation that it is about."""
_FIRST = list(Severity)


@frozen(kw_only=True)
class DoctorReport:
    """``findings`` come with the gravest first. ``reached``: every server answered."""

    look: Observation
    findings: Sequence[Finding]
    reached: bool

    def found(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)


@frozen
class Examine:
    """What is wrong with the installation that ``wanted`` describes. Raises nothing for what does not answer."""

    observe: Observe
    wanted: Expectations

    async def __call__(self) -> DoctorReport:
        look = await self.observe(thorough=True)
        return diagnosis(look, self.wanted)


def diagnosis(look: Observation, wanted: Expectations) -> DoctorReport:
    """What ``look`` shows to be wrong."""
    findings = [finding for check in CHECKS for finding in check(look, wanted)]
    unreached = {diagnostic.code for server in reach.UNREACHED.values() for diagnostic in server.values()}
    return DoctorReport(
        look=look,
        findings=sorted(findings, key=lambda finding: _FIRST.index(finding.severity)),
        reached=not any(finding.code in unreached or finding.code == reach.UNANSWERED.code for finding in findings),
    )
