"""A campaign that cannot catch the designs that are known to fail proves nothing: each of them is caught here."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import monotonic

import pytest
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.testing.crash_points import DEATHS, FAILURES, CrashPointFault

from . import mutants, rival_logs
from .conftest import Connect, Note
from .installation import Parts, in_memory
from .race import OutOfOrder, Race, Reader, Relay, linger, verdict
from .sweep import sweep

SWEPT: dict[str, tuple[Parts, Sequence[CrashPointFault]]] = {
    "commit before effect": (mutants.CommitBeforeEffect(), DEATHS),
    "no cursor guard": (mutants.NoCursorGuard(), DEATHS),
    "a retry topic": (mutants.RetryTopic(), FAILURES),
    "offsets outside the transaction": (mutants.OffsetsOutside(), DEATHS),
    "a cursor kept after an abort": (mutants.KeepsItsCursor(), FAILURES),
}
"""Those that trouble at some crash point shows."""

RACES: dict[str, tuple[Callable[[], AbstractContextManager[None]], Callable[[SqlStorage], Reader], bool]] = {
    "a naive sequence cursor": (rival_logs.naive_sequence, rival_logs.ByOneCursor, False),
    "a position drawn before the lock": (rival_logs.drawn_before_the_lock, Relay.of, True),
    "a transaction-id horizon": (nullcontext, rival_logs.ByTransactionId, True),
}
"""Those that writers at once show, on PostgreSQL: how positions come, who reads them, and whether they are dense."""


@pytest.mark.parametrize("name", SWEPT)
async def test_the_sweep_catches(name: str, note: Note) -> None:
    mutant, hows = SWEPT[name]
    began = monotonic()

    swept = await sweep(in_memory(), hows, mutant, often=True)

    took = monotonic() - began
    assert swept.found, f"{name} survived {swept}"
    note(f"{name}: caught in {took:.1f} s after {swept.points} points: {swept.found[0]}")


@pytest.mark.parametrize("name", RACES)
async def test_the_race_catches(
    name: str, postgresql_url: str, connect: Connect, news: LocalWakeup, note: Note
) -> None:
    rival, reader, dense = RACES[name]
    *storages, reading = [await connect(postgresql_url) for _ in range(5)]
    await linger(reading)
    await rival_logs.sequences(reading)
    reads = reader(reading)
    found_out = OutOfOrder(dense)
    race = Race(storages, news, reads, writers=16, events=25_600)
    race.enough = lambda: found_out.count(reads.seen) > 0
    began = monotonic()

    with rival():
        await race()

    took, found = monotonic() - began, await verdict(reading, reads.seen, dense=dense)
    assert not found.clean, f"{name} survived {found}"
    note(f"{name}: caught in {took:.1f} s, {found}")
