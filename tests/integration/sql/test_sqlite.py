"""SQLite keeps what every storage promises."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from orderflow.adapters.sql import SqlStorage

from tests.contracts.storage import StorageContract


@pytest.fixture
async def storage(migrated_file: Path, tmp_path: Path, commits: list[None]) -> AsyncIterator[SqlStorage]:
    storage = SqlStorage.at(f"sqlite:///{shutil.copy(migrated_file, tmp_path)}", on_commit=lambda: commits.append(None))
    await storage.open()
    yield storage
    await storage.close()


class TestSqliteStorage(StorageContract):
    """On the ``storage`` above."""
