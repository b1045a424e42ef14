"""Wherever a process dies on the way from the log to a receiver of webhooks: nothing is lost or out of sequence."""

from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import product

import pytest
from attrs import evolve
from orderflow.adapters.memory import MemoryConsumerStores, MemoryStorage
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.application.webhooks.send_deliveries import LEASE
from orderflow.domain.errors import StorageUnavailable
from orderflow.testing.clock import ManualClock
from orderflow.testing.consumers.webhook_installation import Installation
from orderflow.testing.consumers.webhook_receiver import Receiver
from orderflow.testing.consumers.world import World
from orderflow.testing.crash_points import (
    DEATHS,
    FAILURES,
    AtCrashPoint,
    CrashPointFault,
    CrashPoints,
    NumberedCalls,
    ProcessDied,
)

from .conftest import Note
from .crash_point_adapters import NumberedEffects, NumberedStorage

MOST_POINTS = 1_000
FEW_UNSETTLED = 4
"""So few that the endpoint falls behind, and catches up from the log."""


@pytest.fixture(params=["memory", "SQLite", "PostgreSQL"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    clock = ManualClock()
    if request.param == "memory":
        storage = MemoryStorage()
        yield World(storage, MemoryConsumerStores(storage.cursors, storage.views), clock)
        return
    url = request.getfixturevalue("sqlite_url" if request.param == "SQLite" else "postgresql_url")
    database = SqlStorage.at(url)
    await database.open()
    yield World(database, SqlConsumerStores(database), clock)
    await database.close()


@pytest.mark.parametrize("hows", [DEATHS, FAILURES], ids=["dies", "fails"])
async def test_each_event_arrives_in_sequence_wherever_a_process_dies_or_a_call_fails(
    world: World, hows: tuple[CrashPointFault, ...], note: Note
) -> None:
    here = Installation(world, most=FEW_UNSETTLED)
    step = 3 if isinstance(world.storage, MemoryStorage) else 7
    met = 0
    async with Receiver() as receiver:
        await here.add(receiver)
        for number, how in product(range(0, MOST_POINTS, step), hows):
            trouble = AtCrashPoint(number + 1, how)
            order = f"o{number}-{hows.index(how)}"

            await _lived(here, order, CrashPoints(trouble))

            accepted = receiver.accepted()
            for it in (order, f"{order}-after"):
                got = accepted[it]
                assert got == sorted(got), f"{trouble.met}: {got}"
                assert set(got) == {1, 2, 3, 4, 5, 6, 7}, f"{trouble.met}: {got}"
            if trouble.met is None:
                break
            met += 1
        assert not await here.webhooks.unsettled((await here.webhooks.endpoints())[0].id, at_most=10)
        assert all(it.verified for it in receiver.received)
        doubled = len(receiver.received) - len(set(receiver.ids))
    await here.close()
    note(f"{' and '.join(hows)}: {met} points, {doubled} of {len(receiver.received)} messages were duplicates")
    assert met >= 8


async def _lived(here: Installation, order: str, crash_points: CrashPoints) -> None:
    """An order's life in a process with these crash points; then another's, and the rest of both, in one without."""
    await here.shop.live(order)
    process = _with(here, crash_points)
    with suppress(ProcessDied, StorageUnavailable):
        for _ in range(2):
            await process.consume()
            await process.sender("first", client=NumberedCalls(here.client, crash_points, "receiver")).send_due()
    await here.shop.live(f"{order}-after")
    here.world.clock.forward(seconds=LEASE.total_seconds() + 1)
    for _ in range(3):
        await here.consume()
        await here.sender("second").send_due()
        here.world.clock.forward(seconds=60)  # what failed is due again


def _with(here: Installation, crash_points: CrashPoints) -> Installation:
    world = evolve(
        here.world,
        storage=NumberedStorage(here.world.storage, crash_points),
        effects=NumberedEffects(here.world.effects, crash_points),
    )
    return Installation(world, most=here.most)
