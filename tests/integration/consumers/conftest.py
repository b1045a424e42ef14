"""A world on each SQL database, its schema made by the migrations, once a session."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from orderflow.adapters.sql import SqlStorage, upgrade
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.adapters.sql.database import POSTGRESQL
from orderflow.adapters.sql.types import metadata
from sqlalchemy import text

from tests.support.effects import World
from tests.support.postgres import PostgresServer
from tests.support.shop import HandClock


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database; on PostgreSQL one for all tests, in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), tmp_path)}"
    return str(request.getfixturevalue("migrated_database_url"))


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    """Nothing has happened in it yet. On SQLite and on PostgreSQL in turn."""
    storage = SqlStorage.at(url)
    await storage.open()
    if storage.database.backend == POSTGRESQL:
        await _empty(storage)
    yield World(storage, SqlConsumerStores(storage), HandClock())
    await storage.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "orders.db"
    _migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_database_url(postgres: PostgresServer) -> str:
    url = postgres.create_database()
    _migrate(url)
    return url


def _migrate(url: str) -> None:
    """On a thread of its own, since the fixture may be asked for from inside an event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, upgrade(url)).result()


async def _empty(storage: SqlStorage) -> None:
    """Leave nothing but the log's counters, at 0."""
    async with storage.database.writing() as connection:
        tables = [name for name in metadata.tables if name != "log_heads"]
        await connection.execute(text(f"TRUNCATE {', '.join(tables)}"))
        await connection.execute(text("UPDATE log_heads SET position = 0"))
