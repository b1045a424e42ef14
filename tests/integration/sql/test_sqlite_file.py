"""A SQLite file that is gone, full, read-only, locked or corrupt is reported so, and used again when it is well."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from orderflow.adapters.sql import SqlStorage, upgrade
from orderflow.domain.errors import StorageUnavailable
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import CONSUMERS, Settings
from orderflow.entrypoints.wiring.lifespan import opened
from orderflow.testing.orders import placed

from tests.integration.sql.conftest import Connect
from tests.support.commands import CommandLine
from tests.support.small_disk import read_only, small_disk
from tests.support.waiting import eventually_async

Harm = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks are waited for only shortly."""
    monkeypatch.setattr("orderflow.adapters.sql.engines.LOCK_SECONDS", 0.05)


@pytest.fixture
def disk_url(migrated_file: Path) -> Iterator[str]:
    """A SQLite file on a file system of its own."""
    with small_disk(4) as disk:
        yield f"sqlite:///{shutil.copy(migrated_file, disk)}"


@contextmanager
def gone(file: Path) -> Iterator[None]:
    """The file and what belongs to it are moved away."""
    elsewhere = file.parent.parent / "elsewhere"
    elsewhere.mkdir()
    for each in list(file.parent.glob(f"{file.name}*")):
        each.rename(elsewhere / each.name)
    yield
    for each in list(elsewhere.iterdir()):
        each.rename(file.parent / each.name)
    elsewhere.rmdir()


@contextmanager
def without_its_folder(file: Path) -> Iterator[None]:
    elsewhere = file.parent.rename(file.parent.with_name("renamed"))
    yield
    elsewhere.rename(file.parent)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.rollback()
    other.close()


@contextmanager
def full(file: Path) -> Iterator[None]:
    filler = file.parent / "filler"
    with filler.open("wb", buffering=0) as filling:
        try:
            while True:
                filling.write(bytes(65_536))
        except OSError:
            pass
    yield
    filler.unlink()


@contextmanager
def on_a_read_only_disk(file: Path) -> Iterator[None]:
    with read_only(file.parent):
        yield


EVERY_HARM = [
    (gone, "sqlite_url", "its file is gone"),
    (without_its_folder, "sqlite_url", "its file is gone"),
    (locked, "sqlite_url", "database is locked"),
    (full, "disk_url", "full|disk I/O error"),
]


@pytest.mark.parametrize(("harm", "url", "problem"), EVERY_HARM)
@pytest.mark.usefixtures("soon")
async def test_a_write_is_refused_and_succeeds_once_the_file_is_well(
    request: pytest.FixtureRequest, connect: Connect, harm: Harm, url: str, problem: str
) -> None:
    url = request.getfixturevalue(url)
    storage = connect(url)
    await storage.open()
    await placed(storage, "before")

    with harm(_file(url)), pytest.raises(StorageUnavailable, match=problem):
        await _much(storage)

    await placed(storage, "after")
    assert (await storage.views.get("before")).id == "before"
    await storage.ping()


@pytest.mark.parametrize("harm", [gone, without_its_folder])
async def test_a_file_that_is_gone_is_neither_read_nor_ready_nor_made_again(
    sqlite_url: str, connect: Connect, harm: Harm
) -> None:
    storage = connect(sqlite_url)
    await storage.open()

    with harm(_file(sqlite_url)):
        for using in (storage.ping(), storage.log.heads(), storage.cursors.readers(), storage.cursors.put("r", {1: 1})):
            with pytest.raises(StorageUnavailable, match="its file is gone"):
                await using
        assert not _file(sqlite_url).exists()


async def test_a_file_that_was_replaced_is_the_one_that_is_written(
    sqlite_url: str, migrated_file: Path, connect: Connect
) -> None:
    storage = connect(sqlite_url)
    await storage.open()
    await placed(storage, "old")
    backup = _file(sqlite_url).with_name("backup.db")
    shutil.copy(migrated_file, backup)
    for rest in ("-wal", "-shm"):
        _file(sqlite_url).with_name(_file(sqlite_url).name + rest).unlink(missing_ok=True)
    os.replace(backup, _file(sqlite_url))

    await placed(storage, "new")

    with sqlite3.connect(_file(sqlite_url)) as database:
        assert [row[0] for row in database.execute("SELECT id FROM orders")] == ["new"]


async def test_a_relative_address_keeps_its_file_when_the_process_changes_its_folder(
    sqlite_url: str, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(_file(sqlite_url).parent)
    storage = connect(f"sqlite:///{_file(sqlite_url).name}")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")

    await storage.open()
    await placed(storage, "O1")

    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.usefixtures("soon")
async def test_a_read_only_file_is_not_ready_and_the_doctor_says_so(disk_url: str, connect: Connect) -> None:
    with on_a_read_only_disk(_file(disk_url)):
        with pytest.raises(StorageUnavailable, match=r"readonly|unable to open"):
            await connect(disk_url).ping()
        answer = await asyncio.to_thread(CommandLine(disk_url), "--json", "doctor")

    assert [finding["code"] for finding in answer.data["findings"]] == ["database_failed"]
    assert answer.code == 5


async def test_a_corrupt_file_is_reported_as_that(sqlite_url: str, connect: Connect) -> None:
    content = bytearray(_file(sqlite_url).read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    _file(sqlite_url).write_bytes(content)

    with pytest.raises(StorageUnavailable, match="malformed"):
        await connect(sqlite_url).open()
    answer = await asyncio.to_thread(CommandLine(sqlite_url), "--json", "doctor")

    assert [finding["code"] for finding in answer.data["findings"]] == ["database_failed"]


@pytest.mark.parametrize(("harm", "url", "problem"), EVERY_HARM)
@pytest.mark.usefixtures("soon")
async def test_a_process_goes_on_until_the_file_is_well_and_handles_everything(
    request: pytest.FixtureRequest,
    harm: Harm,
    url: str,
    problem: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url = request.getfixturevalue(url)
    container = container_for(Settings(database_url=url, poll_seconds=0.01))
    async with opened(container):
        stop, failures = asyncio.Event(), container.process_registration().failures
        parts = asyncio.create_task(run_parts(container, consumers=CONSUMERS, stop=stop))
        await eventually_async(lambda: _heartbeat(container), that="the process runs")

        await placed(container.storage(), "before")
        with harm(_file(url)):
            await eventually_async(lambda: failures.count or parts.done(), that="a part has noticed")
            assert not parts.done()
        await placed(container.storage(), "after")

        async def handled() -> bool:
            heads = dict(await container.storage().log.heads())
            reached = [dict(await container.storage().cursors.positions(name)) for name in CONSUMERS]
            return all(positions == heads for positions in reached)

        await eventually_async(handled, that="everything is handled")
        stop.set()
        container.news().notify()
        await parts
    assert not [record for record in caplog.records if record.exc_info]


async def _heartbeat(container: Any) -> Awaitable[bool] | bool:
    return bool(await container.storage().processes.all())


async def _much(storage: SqlStorage) -> None:
    """Orders that do not fit on a full disk."""
    for number in range(500):
        await placed(storage, f"o{number}")


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _modes(folder: Path) -> dict[str, str]:
    return {file.name: oct(file.stat().st_mode & 0o777) for file in folder.iterdir()}


async def test_a_new_file_and_its_wal_are_for_their_owner_only(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/orderflow.db"
    before = os.umask(0)
    try:
        await upgrade(url)
        storage = SqlStorage.at(url)
        await storage.open()
        await placed(storage)

        modes = _modes(tmp_path)
        await storage.close()
    finally:
        os.umask(before)

    assert modes == dict.fromkeys(("orderflow.db", "orderflow.db-wal", "orderflow.db-shm"), "0o600")


async def test_a_file_that_is_there_keeps_its_permissions(sqlite_url: str, tmp_path: Path) -> None:
    os.chmod(tmp_path / "orders.db", 0o640)

    storage = SqlStorage.at(sqlite_url)
    await storage.open()
    await placed(storage)
    await storage.close()

    assert _modes(tmp_path)["orders.db"] == "0o640"
