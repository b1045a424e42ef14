"""A campaign that cannot catch the designs that are known to fail proves nothing: each of them is caught here."""

from collections.abc import Sequence
from time import monotonic

import pytest

from . import mutants
from .conftest import Note
from .doors import DEATHS, FAILURES, How
from .installation import Parts, in_memory
from .sweep import sweep

MINUTE = 60.0
SWEPT: dict[str, tuple[Parts, Sequence[How]]] = {
    "commit before effect": (mutants.CommitBeforeEffect(), DEATHS),
    "no cursor guard": (mutants.NoCursorGuard(), DEATHS),
    "a retry topic": (mutants.RetryTopic(), FAILURES),
    "offsets outside the transaction": (mutants.OffsetsOutside(), DEATHS),
    "a cursor kept after an abort": (mutants.KeepsItsCursor(), FAILURES),
}
"""Those that trouble at some door shows."""


@pytest.mark.parametrize("name", SWEPT)
async def test_the_sweep_catches(name: str, note: Note) -> None:
    mutant, hows = SWEPT[name]
    began = monotonic()

    swept = await sweep(in_memory(), hows, mutant, often=True)

    took = monotonic() - began
    assert swept.found, f"{name} survived {swept}"
    assert took < MINUTE
    note(f"{name}: caught in {took:.1f} s after {swept.points} points: {swept.found[0]}")
