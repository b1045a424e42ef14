"""Wherever the process dies on the way from the API to the last effect: nothing is lost, doubled or out of order."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from orderflow.testing.crash_points import DEATHS, FAILURES, CrashPointFault

from .conftest import Note
from .installation import Installation, at, in_memory
from .sweep import ALL, SweepResult, sweep, sweep_each_alone

FEW = 2
"""Clients on a database in every run: they meet two points of three, and memory meets all."""
INSTALLATIONS: dict[str, Callable[[Any], Installation]] = {
    "memory": lambda _: in_memory(),
    "SQLite": lambda request: at(request.getfixturevalue("sqlite_url")),
    "PostgreSQL": lambda request: at(request.getfixturevalue("postgresql_url")),
}


@pytest.fixture(params=INSTALLATIONS)
async def installation(request: pytest.FixtureRequest) -> AsyncIterator[Installation]:
    installation = INSTALLATIONS[request.param](request)
    yield installation
    await installation.close()


async def test_a_process_may_die_before_and_after_every_call(
    installation: Installation, request: pytest.FixtureRequest, note: Note
) -> None:
    on = str(request.node.callspec.params["installation"])

    swept = await sweep(installation, DEATHS, clients=ALL if on == "memory" else FEW)

    _held(swept, note, f"dead before and after every call, on {on}")


async def test_every_call_may_be_refused_or_done_without_an_answer(note: Note) -> None:
    swept = await sweep(in_memory(), FAILURES)

    _held(swept, note, "refused and unanswered at every call, on memory")


@pytest.mark.large
@pytest.mark.parametrize("how", CrashPointFault)
async def test_each_trouble_alone_leaves_a_clean_installation(how: CrashPointFault, note: Note) -> None:
    swept = await sweep_each_alone(in_memory, [how])

    _held(swept, note, f"{how} each call, each in an installation of its own, on memory", points=150)


@pytest.mark.large
@pytest.mark.parametrize("hows", [DEATHS, FAILURES], ids=["deaths", "failures"])
async def test_no_call_to_a_database_is_left_out(
    installation: Installation, hows: Sequence[CrashPointFault], request: pytest.FixtureRequest, note: Note
) -> None:
    swept = await sweep(installation, hows)

    _held(swept, note, f"{' and '.join(hows)} every call, on {request.node.callspec.params['installation']}")


def _held(swept: SweepResult, note: Note, what: str, *, points: int = 200) -> None:
    note(f"{what}: {swept}")
    assert swept.found == []
    assert swept.points >= points
