"""The migrations create the schema, once, also if several processes migrate at the same time."""

import asyncio
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from orderflow.adapters.sql import current, newest, upgrade
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.adapters.sql.customers import retention_progress
from orderflow.adapters.sql.types import Identifier, metadata
from orderflow.domain.errors import NotConfigured
from orderflow.testing.orders import placed
from sqlalchemy import Connection, text

from tests.integration.sql.conftest import Connect

MIGRATE = "import asyncio, sys; from orderflow.adapters.sql import upgrade; print(asyncio.run(upgrade(sys.argv[1])))"


async def test_an_empty_database_is_migrated_to_the_newest_version(new_url: str, connect: Connect) -> None:
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


async def test_the_migrations_create_the_tables_that_the_code_defines(url: str, connect: Connect) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    stores = SqlConsumerStores(connect(url))  # its modules and the storage's define all tables but one
    assert retention_progress.metadata is metadata
    async with stores.database.writing() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS receipts"))  # an application's, in the tests of joining
    async with stores.database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_identifiers_sort_by_their_bytes_in_every_locale(postgresql_url: str, connect: Connect) -> None:
    identifiers = {(t.name, c.name) for t in metadata.sorted_tables for c in t.columns if c.type is Identifier}
    sql = "SELECT table_name, column_name FROM information_schema.columns WHERE collation_name = 'C'"

    async with connect(postgresql_url).database.reading() as connection:
        by_bytes = {(row.table_name, row.column_name) for row in await connection.execute(text(sql))}

    assert identifiers <= by_bytes
    assert ("orders", "id") in identifiers


async def test_several_processes_may_migrate_at_once(database_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, database_url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]

    outcomes = await asyncio.gather(*(process.communicate() for process in processes))

    assert [(out.decode().strip(), error.decode()) for out, error in outcomes] == [(newest(), "")] * 2
    assert await current(database_url) == newest()


async def test_a_storage_without_schema_names_the_command_that_creates_it(new_url: str, connect: Connect) -> None:
    with pytest.raises(NotConfigured) as refused:
        await connect(new_url).open()

    assert str(refused.value) == (f"database schema is at nothing, newest is {newest()}; run `orderflow db upgrade`")


async def test_a_storage_that_is_not_open_commits_nothing(url: str, connect: Connect) -> None:
    with pytest.raises(NotConfigured, match="the storage is not open"):
        await placed(connect(url))
