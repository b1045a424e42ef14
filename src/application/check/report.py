"""The report of a check: its comparisons, and every difference."""

from attrs import define, field, frozen

MAX_SHOWN = 1000
"""Differences of one comparison that are listed; further ones are only counted."""


@frozen
class Difference:
    """A difference. ``where`` names the order, event, bucket or effect; ``problem`` says what differs."""

    where: str
    problem: str


@define
class Comparison:
    """One comparison of ``compared`` things of a ``unit``. ``skipped`` is the reason if it was not made."""

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
    """All comparisons of one check. ``notes`` are not differences, for example the number of waiting events."""

    comparisons: list[Comparison] = field(factory=list)
    notes: list[str] = field(factory=list)

    def start(self, name: str, unit: str) -> Comparison:
        comparison = Comparison(name, unit)
        self.comparisons.append(comparison)
        return comparison

    def skip(self, name: str, reason: str) -> None:
        """Add a comparison that was not made, with the reason."""
        self.comparisons.append(Comparison(name, "", skipped=reason))

    @property
    def found(self) -> int:
        return sum(comparison.found for comparison in self.comparisons)

    @property
    def clean(self) -> bool:
        return self.found == 0
