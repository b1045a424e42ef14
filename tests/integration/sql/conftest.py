"""Each database in turn, and storages on it."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from orderflow.adapters.sql import SqlStorage

Connect = Callable[..., SqlStorage]


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
    """A list that grows with each notification of a commit by the test's storage."""
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
