"""SQLite and PostgreSQL keep what every storage promises; behind PgBouncer its unit of work and its log do."""

import pytest
from orderflow.adapters.sql import SqlStorage
from orderflow.testing import StorageCrashContract
from orderflow.testing.event_limit import LIMIT
from orderflow.testing.event_log import EventLogContract
from orderflow.testing.group_commit import GroupCommitContract
from orderflow.testing.storage import StorageContract
from orderflow.testing.unit_of_work import UnitOfWorkContract

from tests.integration.sql.conftest import Connect
from tests.support.pgbouncer import PgBouncer


class TestSqliteStorage(StorageContract, StorageCrashContract):
    @pytest.fixture
    async def storage(self, sqlite_url: str, connect: Connect, commits: list[None]) -> SqlStorage:
        storage = connect(sqlite_url, on_commit=lambda: commits.append(None), phone_region="DE")
        await storage.open()
        return storage

    @pytest.fixture
    async def limited(self, sqlite_url: str, connect: Connect) -> SqlStorage:
        storage = connect(sqlite_url, event_limit=LIMIT)
        await storage.open()
        return storage


class TestPostgresqlStorage(StorageContract, StorageCrashContract):
    @pytest.fixture
    async def storage(self, postgresql_url: str, connect: Connect, commits: list[None]) -> SqlStorage:
        storage = connect(postgresql_url, on_commit=lambda: commits.append(None), phone_region="DE")
        await storage.open()
        return storage

    @pytest.fixture
    async def limited(self, postgresql_url: str, connect: Connect) -> SqlStorage:
        storage = connect(postgresql_url, event_limit=LIMIT)
        await storage.open()
        return storage


class TestPooledStorage(UnitOfWorkContract, GroupCommitContract, EventLogContract):
    @pytest.fixture
    async def storage(
        self, pgbouncer: PgBouncer, postgresql_url: str, connect: Connect, commits: list[None]
    ) -> SqlStorage:
        storage = connect(pgbouncer.to(postgresql_url), pooled=True, on_commit=lambda: commits.append(None))
        await storage.open()
        return storage
