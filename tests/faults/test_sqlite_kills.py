"""Four processes write to one SQLite file, and die at random: what was acknowledged is there, in order."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from attrs import define, field
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.check import CheckReport
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.process import OwnProcess
from tests.support.waiting import eventually_async

from .conftest import Connect, Note
from .invariants import differences
from .race import Relay, verdict

WRITER = Path(__file__).with_name("sqlite_writer.py")
WRITERS = 4


@define(eq=False)
class Writers:
    """Processes that write to the database at ``url``; each life of one has a name and a file of its own."""

    folder: Path
    url: str
    running: list[OwnProcess] = field(factory=list, init=False)
    lives: int = field(default=0, init=False)

    def start(self) -> None:
        name = f"p{self.lives}"
        process = OwnProcess([sys.executable, str(WRITER), self.url, name], self.folder / f"{name}.said")
        self.lives += 1
        self.running.append(process)
        process.start()

    async def kill_one(self, chance: Random) -> None:
        """One that is in the midst of it, and another begins in its place."""
        victim = self.running.pop(chance.randrange(len(self.running)))
        at = len(self._said(victim.log))
        await eventually_async(lambda: len(self._said(victim.log)) > at + chance.randrange(20))
        assert victim.running, victim.last_words()
        victim.kill()
        self.start()

    def acknowledged(self) -> dict[str, int]:
        """Return the newest acknowledged version by order."""
        newest: Counter[str] = Counter()
        for path in self.folder.glob("p*.said"):
            for line in self._said(path):
                order_id, version = line.split()
                newest[order_id] = max(newest[order_id], int(version))
        return dict(newest)

    def _said(self, path: Path) -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    def kill(self) -> None:
        for process in self.running:
            process.kill()


@pytest.fixture
def writers(tmp_path: Path, sqlite_url: str) -> Iterator[Writers]:
    writers = Writers(tmp_path, sqlite_url)
    yield writers
    writers.kill()


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.large)])
async def test_what_sqlite_acknowledged_survives_its_writers(
    kills: int, writers: Writers, sqlite_url: str, connect: Connect, news: LocalWakeup, note: Note
) -> None:
    reading = await connect(sqlite_url)
    relay, enough, chance = Relay.of(reading), asyncio.Event(), Random(kills)

    async def read_along() -> None:
        while not enough.is_set():
            if not await relay.step():
                await news.listener().wait(0.05)

    for _ in range(WRITERS):
        writers.start()
    reader = asyncio.create_task(read_along())
    for _ in range(kills):
        await writers.kill_one(chance)
    writers.kill()
    enough.set()
    await reader
    while await relay.step():
        pass

    read = await verdict(reading, relay.seen)
    report, versions = await _checked(sqlite_url), writers.acknowledged()
    rows = await reading.audit.many(list(versions))
    lost = [
        order_id for order_id, version in versions.items() if order_id not in rows or rows[order_id].version < version
    ]
    note(f"{WRITERS} processes on SQLite, {kills} killed: {len(lost)} of {len(versions)} orders lost a change; {read}")
    assert lost == []
    assert read.clean
    assert differences(report) == []
    assert read.compared > len(versions) > kills


async def _checked(url: str) -> CheckReport:
    container = container_for(Settings(database_url=url))
    async with opened(container):
        report: CheckReport = await container.check()()
    return report
