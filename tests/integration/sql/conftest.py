"""Migrated databases, made once a session."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from orderflow.adapters.sql import SqlStorage

from tests.support.databases import empty, migrated
from tests.support.postgres import PostgresServer

Connect = Callable[..., SqlStorage]


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema and nothing in it; to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "orders.db"
    migrated(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_url(postgres: PostgresServer) -> str:
    """A PostgreSQL database with the newest schema, which tests use in turn."""
    return migrated(postgres.create_database())


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A SQLite file of the test's own."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path)}"


@pytest.fixture
async def postgresql_url(migrated_url: str) -> str:
    """A PostgreSQL database that is the test's own while it runs."""
    storage = SqlStorage.at(migrated_url)
    await storage.open()
    await empty(storage)
    await storage.close()
    return migrated_url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Each database in turn, migrated and empty."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new.db'}"
    else:
        yield request.getfixturevalue("database_url")


@pytest.fixture
def commits() -> list[None]:
    """Grows when the test's storage tells of a commit."""
    return []


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes storages, which are closed after the test."""
    made: list[SqlStorage] = []

    def connect(url: str, **settings: object) -> SqlStorage:
        made.append(SqlStorage.at(url, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield connect
    for storage in made:
        await storage.close()
