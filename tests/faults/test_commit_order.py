"""Positions are dense in each bucket in commit order with concurrent writers: a reader of the log misses nothing."""

import pytest
from orderflow.adapters.wakeup import LocalWakeup

from .conftest import Connect, Note
from .race import Race, Relay, linger, verdict


@pytest.mark.parametrize(("backend", "writers", "events"), [("postgresql", 16, 2_400), ("sqlite", 4, 800)])
async def test_a_relay_misses_nothing_of_many_writers_on_twenty_hot_orders(
    backend: str,
    writers: int,
    events: int,
    connect: Connect,
    news: LocalWakeup,
    request: pytest.FixtureRequest,
    note: Note,
) -> None:
    url = request.getfixturevalue(f"{backend}_url")
    *storages, reading = [await connect(url) for _ in range(5)]
    await linger(reading)
    race = Race(storages, news, Relay.of(reading), writers=writers, events=events)

    await race()

    found = await verdict(reading, race.reader.seen)
    writes = ", ".join(f"{many} {what}" for what, many in sorted(race.done.items()))
    note(f"{writers} writers on {backend} ({writes}), a relay meanwhile: {found}")
    assert found.clean
    assert found.compared == len(race.reader.seen) == race.written >= events
