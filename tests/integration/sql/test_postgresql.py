"""PostgreSQL keeps what every storage promises."""

from collections.abc import AsyncIterator

import pytest
from orderflow.adapters.sql import SqlStorage

from tests.contracts.storage import StorageContract
from tests.support.databases import empty


@pytest.fixture
async def storage(migrated_url: str, commits: list[None]) -> AsyncIterator[SqlStorage]:
    storage = SqlStorage.at(migrated_url, on_commit=lambda: commits.append(None))
    await storage.open()
    await empty(storage)
    yield storage
    await storage.close()


class TestPostgresqlStorage(StorageContract):
    """On the ``storage`` above."""
