"""SQLite and PostgreSQL keep what every storage promises, PostgreSQL also behind PgBouncer."""

import pytest
from orderflow.adapters.sql import SqlStorage

from tests.contracts.event_limit import LIMIT
from tests.contracts.storage import StorageContract
from tests.integration.sql.conftest import Connect
from tests.support.pgbouncer import PgBouncer


class TestSqliteStorage(StorageContract):
    @pytest.fixture
    async def storage(self, sqlite_url: str, connect: Connect, commits: list[None]) -> SqlStorage:
        storage = connect(sqlite_url, on_commit=lambda: commits.append(None))
        await storage.open()
        return storage

    @pytest.fixture
    async def limited(self, sqlite_url: str, connect: Connect) -> SqlStorage:
        storage = connect(sqlite_url, event_limit=LIMIT)
        await storage.open()
        return storage


class TestPostgresqlStorage(StorageContract):
    @pytest.fixture
    async def storage(self, postgresql_url: str, connect: Connect, commits: list[None]) -> SqlStorage:
        storage = connect(postgresql_url, on_commit=lambda: commits.append(None))
        await storage.open()
        return storage

    @pytest.fixture
    async def limited(self, postgresql_url: str, connect: Connect) -> SqlStorage:
        storage = connect(postgresql_url, event_limit=LIMIT)
        await storage.open()
        return storage


class TestPooledStorage(StorageContract):
    @pytest.fixture
    async def storage(
        self, pgbouncer: PgBouncer, postgresql_url: str, connect: Connect, commits: list[None]
    ) -> SqlStorage:
        storage = connect(pgbouncer.to(postgresql_url), pooled=True, on_commit=lambda: commits.append(None))
        await storage.open()
        return storage

    @pytest.fixture
    async def limited(self, pgbouncer: PgBouncer, postgresql_url: str, connect: Connect) -> SqlStorage:
        storage = connect(pgbouncer.to(postgresql_url), pooled=True, event_limit=LIMIT)
        await storage.open()
        return storage
