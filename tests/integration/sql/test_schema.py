"""The schema is made by its migrations alone, once, whoever asks for it."""

import asyncio
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from orderflow.adapters.sql import current, newest, upgrade
from orderflow.adapters.sql import epochs as epochs_tables
from orderflow.adapters.sql import maintenance_log as repairs_tables
from orderflow.adapters.sql import processes as registry_table
from orderflow.adapters.sql import rollout as rollout_tables
from orderflow.adapters.sql import types as effects_tables
from orderflow.adapters.sql.types import Identifier, metadata
from orderflow.domain.errors import NotConfigured
from sqlalchemy import Connection, text

from tests.contracts.orders import placed
from tests.integration.sql.conftest import Connect

MIGRATE = "import asyncio, sys; from orderflow.adapters.sql import upgrade; print(asyncio.run(upgrade(sys.argv[1])))"


async def test_an_empty_database_is_brought_to_the_newest_version(new_url: str, connect: Connect) -> None:
    before = await current(new_url)

    after = await upgrade(new_url)

    assert (before, after) == (None, newest())
    assert await current(new_url) == newest()
    storage = connect(new_url)
    await storage.open()
    assert storage.database.buckets == 256


async def test_migrating_again_changes_nothing(url: str, connect: Connect) -> None:
    storage = connect(url)
    await storage.open()
    await placed(storage)

    await upgrade(url)

    assert sum((await storage.log.heads()).values()) == 1


async def test_the_migrations_make_what_the_tables_say(url: str, connect: Connect) -> None:
    assert effects_tables.metadata is metadata
    assert epochs_tables.metadata is metadata
    assert registry_table.metadata is metadata
    assert repairs_tables.metadata is metadata
    assert rollout_tables.metadata is metadata

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with connect(url).database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_identifiers_sort_by_their_bytes_whatever_the_locale(postgresql_url: str, connect: Connect) -> None:
    identifiers = {(t.name, c.name) for t in metadata.sorted_tables for c in t.columns if c.type is Identifier}
    sql = "SELECT table_name, column_name FROM information_schema.columns WHERE collation_name = 'C'"

    async with connect(postgresql_url).database.reading() as connection:
        by_bytes = {(row.table_name, row.column_name) for row in await connection.execute(text(sql))}

    assert identifiers <= by_bytes
    assert ("orders", "id") in identifiers


async def test_two_processes_may_migrate_at_once(database_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, database_url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]

    outcomes = await asyncio.gather(*(process.communicate() for process in processes))

    assert [(out.decode().strip(), error.decode()) for out, error in outcomes] == [(newest(), "")] * 3
    assert await current(database_url) == newest()


async def test_a_storage_without_schema_says_how_to_make_it(new_url: str, connect: Connect) -> None:
    with pytest.raises(NotConfigured) as refused:
        await connect(new_url).open()

    assert str(refused.value) == (f"database schema is at nothing, newest is {newest()}; run `orderflow db upgrade`")


async def test_a_storage_that_is_not_open_commits_nothing(url: str, connect: Connect) -> None:
    with pytest.raises(NotConfigured, match="the storage is not open"):
        await placed(connect(url))
