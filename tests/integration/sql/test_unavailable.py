"""A database that does not answer is reported as such, and is used again when it answers."""

import asyncio
import socket
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from orderflow.adapters.sql import SqlStorage, upgrade
from orderflow.application.event_log.records import bucket_of
from orderflow.application.orders.queries import OrderQuery
from orderflow.domain.errors import OrderNotFound, StorageUnavailable
from orderflow.testing.orders import placed
from sqlalchemy import text

from tests.integration.sql.conftest import Connect
from tests.support.postgres import PostgresServer
from tests.support.waiting import eventually_async


async def test_a_stopped_server_is_reported_and_a_restarted_one_is_used_again(
    postgres: PostgresServer, postgresql_url: str, connect: Connect
) -> None:
    storage = connect(postgresql_url)
    await storage.open()
    await asyncio.gather(*(placed(storage, f"O{number}") for number in range(8)))

    postgres.stop()
    try:
        for asking in (
            storage.ping(),
            storage.views.get("O1"),
            storage.views.list(OrderQuery()),
            storage.log.heads(),
            storage.cursors.put("relay", {1: 1}),
            placed(storage, "O9"),
        ):
            with pytest.raises(StorageUnavailable) as raised:
                await asking
            assert raised.value.backend == "postgresql"
    finally:
        postgres.start()

    await storage.ping()
    await asyncio.gather(*(placed(storage, f"P{number}") for number in range(8)))
    assert sum((await storage.log.heads()).values()) == 16


async def test_connections_that_a_restart_broke_are_not_used_again(
    postgres: PostgresServer, postgresql_url: str, connect: Connect
) -> None:
    storage = connect(postgresql_url)
    await storage.open()
    await asyncio.gather(*(placed(storage, f"O{number}") for number in range(8)))

    await asyncio.to_thread(postgres.restart)

    await asyncio.gather(*(placed(storage, f"P{number}") for number in range(8)))
    assert sum((await storage.log.heads()).values()) == 16


async def test_missing_privileges_are_reported_as_unavailable_until_granted(
    postgresql_url: str, connect: Connect
) -> None:
    role = f"clerk_{urlsplit(postgresql_url).path.rpartition('_')[2]}"
    storage = connect(postgresql_url)
    await storage.open()
    async with storage.database.writing() as connection:
        for statement in (f"CREATE ROLE {role}", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"):
            await connection.execute(text(statement))
    reader = connect(f"{postgresql_url}?role={role}")
    await reader.open()

    with pytest.raises(StorageUnavailable, match="permission denied for table"):
        await placed(reader)

    async with storage.database.writing() as connection:
        await connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
    await placed(reader)


async def test_a_commit_that_exceeds_the_lock_timeout_is_reported_and_leaves_nothing(
    postgresql_url: str, connect: Connect
) -> None:
    storage = connect(f"{postgresql_url}?lock_timeout=100ms")
    await storage.open()

    async with locked_bucket(postgresql_url, "O1"):
        with pytest.raises(StorageUnavailable, match="lock timeout") as raised:
            await placed(storage)

    assert "not known" not in raised.value.problem
    await _is_not_there(storage, "O1")
    await placed(storage)


async def test_a_connection_lost_during_a_commit_leaves_its_outcome_unknown(
    postgresql_url: str, connect: Connect
) -> None:
    storage = connect(f"{postgresql_url}?application_name=victim")
    await storage.open()

    async with locked_bucket(postgresql_url, "O1") as other:
        commit = asyncio.create_task(placed(storage))
        await _waiting(other, "victim")
        await other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'")
        with pytest.raises(StorageUnavailable, match="its outcome is unknown"):
            await commit

    await _is_not_there(storage, "O1")
    await placed(storage)


async def test_a_cancelled_caller_leaves_nothing_behind(postgresql_url: str, connect: Connect) -> None:
    storage = connect(f"{postgresql_url}?application_name=impatient", pool_size=1)
    await storage.open()

    async with locked_bucket(postgresql_url, "O1") as other:
        commit = asyncio.create_task(placed(storage))
        await _waiting(other, "impatient")
        commit.cancel()
        with pytest.raises(asyncio.CancelledError):
            await commit

    await _is_not_there(storage, "O1")
    await placed(storage)


async def test_an_unreachable_server_is_reported_without_the_password(connect: Connect) -> None:
    storage = connect("postgresql://somebody:s3cret@127.0.0.1:1/orders")

    with pytest.raises(StorageUnavailable) as raised:
        await storage.open()

    assert "s3cret" not in f"{raised.value}{raised.value!r}{raised.value.__cause__!r}"


async def test_a_host_that_does_not_answer_does_not_hide_the_next_one(
    postgresql_url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderflow.adapters.sql.engines.CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        parts = urlsplit(postgresql_url)
        login, _, host = parts.netloc.rpartition("@")
        hosts = f"{login}@127.0.0.1:{silent.getsockname()[1]},{host}"
        storage = connect(parts._replace(netloc=hosts).geturl())

        await eventually_async(lambda: _answers(storage), that="the second host answers")


async def test_a_missing_database_is_reported(postgres: PostgresServer, connect: Connect) -> None:
    storage = connect(postgres.url.replace("/postgres", "/nowhere"))

    with pytest.raises(StorageUnavailable, match='database "nowhere" does not exist'):
        await storage.ping()


async def test_an_exhausted_pool_is_reported(
    postgresql_url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderflow.adapters.sql.engines.POOL_SECONDS", 0.05)
    storage = connect(postgresql_url, pool_size=1)
    await storage.open()

    async with storage.database.reading():
        with pytest.raises(StorageUnavailable, match="busy"):
            await storage.ping()


async def test_a_file_locked_by_another_process_is_reported(
    sqlite_url: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderflow.adapters.sql.engines.LOCK_SECONDS", 0.05)
    storage = connect(sqlite_url)
    await storage.open()
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageUnavailable, match="database is locked"):
        await placed(storage)

    other.rollback()
    other.close()
    await placed(storage)


async def test_a_file_in_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match=r"No such file or directory: .*orders\.db"):
        await upgrade(f"sqlite:///{tmp_path / 'no' / 'folder' / 'orders.db'}")


async def test_a_file_that_is_no_database_is_reported(tmp_path: Path, connect: Connect) -> None:
    file = tmp_path / "orders.db"
    file.write_text("this is a text, not a database, " * 100)

    with pytest.raises(StorageUnavailable, match="not a database"):
        await connect(f"sqlite:///{file}").open()


async def test_an_error_in_a_statement_is_not_reported_as_unavailable(url: str, connect: Connect) -> None:
    storage = connect(url)

    with pytest.raises(Exception, match="nothing_of_the_kind") as raised:
        async with storage.database.reading() as connection:
            await connection.exec_driver_sql("SELECT * FROM nothing_of_the_kind")

    assert not isinstance(raised.value, StorageUnavailable)


class locked_bucket:
    """Hold the counter row of an order's bucket in another transaction."""

    def __init__(self, url: str, order_id: str) -> None:
        self.url = url
        self.bucket = bucket_of(order_id)

    async def __aenter__(self) -> asyncpg.Connection:
        self.connection = await asyncpg.connect(self.url)
        await self.connection.execute("BEGIN")
        await self.connection.execute("SELECT * FROM log_heads WHERE bucket = $1 FOR UPDATE", self.bucket)
        return self.connection

    async def __aexit__(self, *raised: object) -> None:
        await self.connection.execute("ROLLBACK")
        await self.connection.close()


async def _waiting(connection: asyncpg.Connection, application: str) -> None:
    """Until a statement of that application waits for a lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'"
    await eventually_async(lambda: connection.fetchval(sql, application), that=f"{application} waits for a lock")


async def _answers(storage: SqlStorage) -> bool:
    try:
        await storage.ping()
    except StorageUnavailable:
        return False
    return True


async def _is_not_there(storage: SqlStorage, order_id: str) -> None:
    with pytest.raises(OrderNotFound):
        await storage.views.get(order_id)
    assert bucket_of(order_id) not in await storage.log.heads()
