"""What was compared, and every difference."""

from attrs import define, field, frozen

MAX_SHOWN = 1000
"""Differences of one comparison that are kept; beyond that they are only counted."""


@frozen
class Difference:
    """``where`` names the order, event, bucket or effect; ``problem`` says what is wrong there."""

    where: str
    problem: str


@define
class Comparison:
    """One question that was asked of ``compared`` things."""

    name: str
    unit: str
    compared: int = 0
    found: int = 0
    differences: list[Difference] = field(factory=list)
    skipped: str = ""

    def differ(self, where: str, problem: str) -> None:
        self.found += 1
        if len(self.differences) < MAX_SHOWN:
            self.differences.append(Difference(where, problem))


@define
class CheckReport:
    """All comparisons of one check. ``notes`` say what is no difference but worth knowing (events still waiting)."""

    comparisons: list[Comparison] = field(factory=list)
    notes: list[str] = field(factory=list)

    def start(self, name: str, unit: str) -> Comparison:
        comparison = Comparison(name, unit)
        self.comparisons.append(comparison)
        return comparison

    def skip(self, name: str, reason: str) -> None:
        """A comparison that could not be made, by name: it is not a clean one."""
        self.comparisons.append(Comparison(name, "", skipped=reason))

    @property
    def found(self) -> int:
        return sum(comparison.found for comparison in self.comparisons)

    @property
    def clean(self) -> bool:
        return self.found == 0
