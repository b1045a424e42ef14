"""Behind PgBouncer in transaction mode all goes on as before: nothing rests on a connection that stays the same."""

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest
from orderflow.adapters.sql import SqlStorage, current, newest, upgrade
from orderflow.adapters.sql.engines import IDLE_SECONDS, LOCK_SECONDS
from orderflow.application.event_log.records import bucket_of
from orderflow.domain.errors import NotConfigured, StorageUnavailable
from orderflow.testing.event_log import Follower
from orderflow.testing.orders import placed
from sqlalchemy import text

from tests.integration.sql.conftest import Connect
from tests.integration.sql.silent import silent_while_another_writes
from tests.integration.sql.test_unavailable import locked_bucket
from tests.support.commands import CommandLine
from tests.support.pgbouncer import PgBouncer

TRANSACTION = {"ORDERFLOW_DATABASE_POOLER": "transaction"}


@pytest.fixture
def pooled_url(pgbouncer: PgBouncer, postgresql_url: str) -> str:
    """The test's PostgreSQL database as it is reached through PgBouncer."""
    return pgbouncer.to(postgresql_url)


async def test_an_unconfigured_pooler_is_reported_with_the_setting(pooled_url: str, connect: Connect) -> None:
    with pytest.raises(NotConfigured, match="PostgreSQL is behind a pooler") as refused:
        await connect(pooled_url).open()

    assert refused.value.fix == "set ORDERFLOW_DATABASE_POOLER=transaction"


async def test_one_of_several_processes_migrates_through_the_pooler(pgbouncer: PgBouncer, database_url: str) -> None:
    url = pgbouncer.to(database_url)

    done = await asyncio.gather(*(upgrade(url, pooled=True) for _ in range(3)))

    assert done == [newest()] * 3
    assert await current(url, pooled=True) == newest()


async def test_writers_with_more_connections_than_the_pooler_keep_the_logs_order(
    pgbouncer: PgBouncer, pooled_url: str, connect: Connect
) -> None:
    storages = [connect(pooled_url, pooled=True, pool_size=10) for _ in range(2)]
    for storage in storages:
        await storage.open()

    await asyncio.gather(*(placed(storages[n % 2], f"O{n}") for n in range(200)))

    servers = await _servers(storages[0])
    follower = Follower(storages[1])
    while await follower.step():
        pass
    assert (follower.seen, follower.faults) == (200, [])
    assert 1 < servers <= pgbouncer.connections


async def test_every_transaction_has_a_lock_timeout_and_an_idle_timeout(pooled_url: str, connect: Connect) -> None:
    async with connect(pooled_url, pooled=True).database.writing() as connection:
        waits, silent = [
            await connection.scalar(text(f"SHOW {name}"))
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]

    assert (waits, silent) == (f"{LOCK_SECONDS}s", f"{IDLE_SECONDS}s")


async def test_a_commit_that_exceeds_the_lock_timeout_is_reported_and_the_next_one_succeeds(
    postgresql_url: str, pooled_url: str, connect: Connect
) -> None:
    hasty = connect(f"{pooled_url}?lock_timeout=100ms", pooled=True)
    patient = connect(pooled_url, pooled=True)
    for storage in (hasty, patient):
        await storage.open()

    async with locked_bucket(postgresql_url, "O1"):
        waiting = asyncio.create_task(placed(patient))
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            await placed(hasty)
        assert not waiting.done()

    await waiting
    assert await hasty.log.heads() == {bucket_of("O1"): 1}


async def test_a_writer_that_hangs_loses_its_lock_on_a_bucket(pooled_url: str, connect: Connect) -> None:
    silent = connect(f"{pooled_url}?idle_in_transaction_session_timeout=200ms", pooled=True)
    other = connect(pooled_url, pooled=True)
    await other.open()

    await silent_while_another_writes(silent, other)

    assert await other.log.heads() == {bucket_of("O1"): 1}


async def test_a_writer_that_dies_releases_its_lock_on_a_bucket_at_once(pooled_url: str, connect: Connect) -> None:
    storage = connect(pooled_url, pooled=True)
    await storage.open()
    dying = await asyncpg.connect(pooled_url, statement_cache_size=0)
    await dying.execute("BEGIN")
    await dying.execute("UPDATE log_heads SET position = position + 3")

    dying.terminate()
    await placed(storage)

    assert await storage.log.heads() == {bucket_of("O1"): 1}


def test_the_doctor_reports_an_unconfigured_pooler_only(pooled_url: str) -> None:
    configured, unconfigured = CommandLine(pooled_url, TRANSACTION), CommandLine(pooled_url)

    well, ill = configured("--json", "doctor"), unconfigured("--json", "doctor")

    assert well.data["findings"] == []
    assert [(finding["code"], finding["fix"].partition(",")[0]) for finding in ill.data["findings"]] == [
        ("database_pooler", "set ORDERFLOW_DATABASE_POOLER=transaction")
    ]


def test_the_doctor_reports_timeouts_that_the_url_disables(pooled_url: str) -> None:
    endless = CommandLine(f"{pooled_url}?lock_timeout=0", TRANSACTION)

    found = endless("--json", "doctor").data["findings"]

    assert [finding["code"] for finding in found] == ["postgresql_timeouts"]


async def _servers(storage: SqlStorage) -> int:
    """Count the server connections of PostgreSQL to this database."""
    database = urlsplit(str(storage.database.address and storage.database.address.url)).path.removeprefix("/")
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE datname = :database")
    async with storage.database.reading() as connection:
        return int(await connection.scalar(asked, {"database": database}) or 0)
