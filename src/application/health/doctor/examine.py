"""The doctor: one look at the installation, and everything that is wrong with it."""

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from ..observation import Look
from ..observe import LookAround
from . import clocks, database, topic, versions
from . import connections as reach
from . import consumers as readers
from . import dead_letters as letters
from . import tokens as door
from .expectations import Wanted
from .finding import Ailment, Finding, Severity

Check = Callable[[Look, Wanted], Iterator[Finding]]

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
AILMENTS: Sequence[Ailment] = (
    *reach.AILMENTS,
    *versions.AILMENTS,
    *database.AILMENTS,
    *topic.AILMENTS,
    *letters.AILMENTS,
    *readers.AILMENTS,
    *clocks.AILMENTS,
    *door.AILMENTS,
)
"""All that can be found, by the part of the installation that it is about."""
_FIRST = list(Severity)


@frozen(kw_only=True)
class Report:
    """``findings`` come with the gravest first. ``reached``: every server answered."""

    look: Look
    findings: Sequence[Finding]
    reached: bool

    def found(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)


@frozen
class Examine:
    """What is wrong with the installation that ``wanted`` describes. Raises nothing for what does not answer."""

    look_around: LookAround
    wanted: Wanted

    async def __call__(self) -> Report:
        look = await self.look_around(thorough=True)
        return diagnosis(look, self.wanted)


def diagnosis(look: Look, wanted: Wanted) -> Report:
    """What ``look`` shows to be wrong."""
    findings = [finding for check in CHECKS for finding in check(look, wanted)]
    unreached = {ailment.code for server in reach.UNREACHED.values() for ailment in server.values()}
    return Report(
        look=look,
        findings=sorted(findings, key=lambda finding: _FIRST.index(finding.severity)),
        reached=not any(finding.code in unreached or finding.code == reach.UNANSWERED.code for finding in findings),
    )
