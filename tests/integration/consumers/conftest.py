"""The stores of the consumers, on each SQL database in turn."""

from collections.abc import AsyncIterator

import pytest
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.testing.consumers.shop import HandClock
from orderflow.testing.consumers.world import World


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A migrated database with nothing in it."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def world(url: str) -> AsyncIterator[World]:
    """Nothing has happened in it yet."""
    storage = SqlStorage.at(url)
    await storage.open()
    yield World(storage, SqlConsumerStores(storage), HandClock())
    await storage.close()
