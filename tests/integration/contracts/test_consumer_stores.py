"""SQLite and PostgreSQL pass the suites of the consumers' data."""

import pytest
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.testing.consumers.shop import HandClock
from orderflow.testing.consumers.world import World

from tests.consumer_suites import *  # noqa: F403
from tests.support.kept_storages import KeptStorages


@pytest.fixture(params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, storages: KeptStorages) -> World:
    """A database in which nothing has happened yet."""
    storage = await storages.emptied(request.getfixturevalue(f"contracts_{request.param}"))
    return World(storage, SqlConsumerStores(storage), HandClock())
