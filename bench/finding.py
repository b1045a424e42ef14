"""The results of a measurement, and their promised bounds."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from statistics import median

from attrs import field, frozen

from .machine import Usage

Turn = Callable[[], Awaitable[float]]
"""Does the work once; how much of it was done a second."""


@frozen(kw_only=True)
class Finding:
    """``values`` are one ratio a pair, or other figures of ``unit``; their median is held to the floor or ceiling.

    ``aside`` says what is good to know and promises nothing, such as absolute rates.
    """

    what: str
    values: Sequence[float] = field(validator=lambda _, __, values: _some(values))
    unit: str = "x"
    floor: float | None = None
    ceiling: float | None = None
    aside: str = ""

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def missed(self) -> bool:
        """Is true if the median is below the floor or above the ceiling."""
        return (self.floor is not None and self.median < self.floor) or (
            self.ceiling is not None and self.median > self.ceiling
        )

    @property
    def bound(self) -> str:
        """The promise in words; empty where none is made."""
        if self.floor is not None:
            return f">= {self.floor:g} {self.unit}"
        return "" if self.ceiling is None else f"<= {self.ceiling:g} {self.unit}"


def _some(values: Sequence[float]) -> None:
    if not values:
        raise ValueError("a finding needs at least one value")


class Rounds(list[list[float]]):
    """The rates of each side. In ``busy`` of the rounds other programs used the processors."""

    busy: int = 0


@frozen(kw_only=True)
class Effort:
    """The amount of measuring: ``pairs`` turns of each side, and ``scale`` times the usual amounts.

    ``repeats``: whether a round that other programs disturbed is measured again.
    """

    pairs: int = 5
    scale: float = 1.0
    repeats: bool = True

    def of(self, amount: int, *, least: int = 1) -> int:
        """``amount`` at this scale."""
        return max(least, round(amount * self.scale))


BUSY = 0.1
"""The share of the processors from which on others are taken to disturb a round."""


async def in_turn(effort: Effort, *sides: Turn, others: Callable[[Usage, Usage], float] = Usage.others) -> Rounds:
    """The rates of each side in rounds, in each of which every side has one turn, in random order.

    The first round does not count. A round in which other programs used the processors is repeated, but at most as
    many are repeated as are asked for; then they count, and it is said how many.
    """
    rounds = Rounds([] for _ in sides)
    repeats = effort.pairs if effort.repeats else 0
    order = Random(effort.pairs)
    counted = -1
    while counted < effort.pairs:
        before, seen = Usage.now(), dict[int, float]()
        for side in order.sample(range(len(sides)), len(sides)):
            seen[side] = await sides[side]()
        busy = others(before, Usage.now()) > BUSY
        if counted >= 0 and busy and repeats:
            repeats -= 1
            continue
        counted += 1
        if counted:
            rounds.busy += busy
            for side, rate in seen.items():
                rounds[side].append(rate)
    if rounds.busy:
        print(
            f" [in {rounds.busy} of {effort.pairs} rounds other programs used the processors]", file=sys.stderr, end=""
        )
    return rounds


def ratios(ours: Sequence[float], peers: Sequence[float]) -> list[float]:
    """Pair by pair."""
    return [our / peer for our, peer in zip(ours, peers, strict=True)]


def rates(unit: str, **sides: Sequence[float]) -> str:
    """The median rate of each side, in words."""
    return ", ".join(f"{name} {median(seen):,.0f}" for name, seen in sides.items()) + f" {unit}/s"


def table(findings: Sequence[Finding]) -> str:
    """The findings as text, a line each under a heading."""
    rows = [("", "median", "min", "max", "promised", "", "")]
    for each in findings:
        figures = [f"{value:.2f} {each.unit}" for value in (each.median, min(each.values), max(each.values))]
        verdict = ("MISSED" if each.missed else "kept") if each.bound else ""
        rows.append((each.what, figures[0], figures[1], figures[2], each.bound, verdict, each.aside))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            text.rjust(width) if 1 <= n <= 3 else text.ljust(width)
            for n, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
