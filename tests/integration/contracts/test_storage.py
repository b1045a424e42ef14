"""SQLite and PostgreSQL keep what every storage promises; behind PgBouncer its unit of work and its log do."""

import pytest
from attrs import evolve
from orderflow.adapters.sql import SqlStorage
from orderflow.testing import StorageCrashContract
from orderflow.testing.event_limit import LIMIT
from orderflow.testing.event_log import EventLogContract
from orderflow.testing.group_commit import GroupCommitContract
from orderflow.testing.storage import StorageContract
from orderflow.testing.unit_of_work import UnitOfWorkContract

from tests.support.kept_storages import KeptStorages
from tests.support.pgbouncer import PgBouncer


@pytest.fixture
def commits() -> list[None]:
    """A list that grows with each notification of a commit by the test's storage."""
    return []


class _Storages:
    """The storages of the contracts, on that of a fixture ``kept``."""

    @pytest.fixture
    def storage(self, kept: SqlStorage, commits: list[None]) -> SqlStorage:
        return SqlStorage(kept.database, evolve(kept.committer, on_commit=lambda: commits.append(None)))

    @pytest.fixture
    def limited(self, kept: SqlStorage) -> SqlStorage:
        return SqlStorage(kept.database, evolve(kept.committer, event_limit=LIMIT))


class TestSqliteStorage(_Storages, StorageContract, StorageCrashContract):
    @pytest.fixture
    async def kept(self, storages: KeptStorages, contracts_sqlite: str) -> SqlStorage:
        return await storages.emptied(contracts_sqlite, phone_region="DE")


class TestPostgresqlStorage(_Storages, StorageContract, StorageCrashContract):
    @pytest.fixture
    async def kept(self, storages: KeptStorages, contracts_postgresql: str) -> SqlStorage:
        return await storages.emptied(contracts_postgresql, phone_region="DE")


class TestPooledStorage(_Storages, UnitOfWorkContract, GroupCommitContract, EventLogContract):
    @pytest.fixture
    async def kept(self, storages: KeptStorages, pgbouncer: PgBouncer, contracts_postgresql: str) -> SqlStorage:
        return await storages.emptied(pgbouncer.to(contracts_postgresql), pooled=True)
