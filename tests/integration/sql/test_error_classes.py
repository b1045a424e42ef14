"""Every error that a real PostgreSQL can be made to give is answered as the tables of adapters/sql/errors.py say."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from orderflow.adapters.sql.database import ATTEMPTS, Database
from orderflow.adapters.sql.errors import (
    FAULT,
    RECONNECT,
    REFUSE,
    Reaction,
    TransactionConflict,
    driver_error,
    reaction_to,
    sqlstate,
)
from orderflow.domain.errors import StorageUnavailable
from sqlalchemy import text

from tests.support.databases import migrated_database
from tests.support.postgres import LocalPostgres, answers
from tests.support.servers import free_port, obtain, started
from tests.support.small_disk import small_disk
from tests.support.waiting import eventually

Provoke = Callable[[Database], Awaitable[object]]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPostgres]:
    """A PostgreSQL on which roles have passwords and limits."""
    server = obtain(lambda: started(LocalPostgres(access=["host all asked 127.0.0.1/32 scram-sha-256"])))
    server.execute("CREATE ROLE asked LOGIN PASSWORD 'right'")
    server.execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    yield server
    server.close()


@pytest.fixture(scope="module")
def there(server: LocalPostgres) -> str:
    return migrated_database(server)


@pytest.fixture
async def at() -> AsyncIterator[Callable[[str], Database]]:
    """Makes databases, which are closed after the test."""
    made: list[Database] = []

    def connect(url: str) -> Database:
        made.append(Database.at(url, pool_size=2))
        return made[-1]

    yield connect
    for database in made:
        await database.close()


def other(url: str, *, user: str = "", port: int = 0, path: str = "", query: str = "") -> str:
    parts = urlsplit(url)
    login = user or parts.netloc.rpartition("@")[0]
    netloc = f"{login}@{parts.hostname}:{port or parts.port}"
    return urlunsplit(parts._replace(netloc=netloc, path=path or parts.path, query=query))


def read(sql: str) -> Provoke:
    return lambda database: database.rows(text(sql))


def write(sql: str) -> Provoke:
    async def provoke(database: Database) -> None:
        async with database.writing() as connection:
            await connection.execute(text(sql))

    return provoke


def fetch(sql: str) -> Provoke:
    return lambda database: database.fetch(sql)


UPDATE = "UPDATE log_heads SET position = position WHERE bucket = 1"
ENDED = "57P01 08003"
"""The error of a terminated session, or the driver's if it reads the end of the connection first."""
OWN_END = "SELECT pg_terminate_backend(pg_backend_pid())"


async def failure(provoke: Awaitable[object]) -> BaseException:
    """The driver's error behind what was raised."""
    [error] = await asyncio.gather(provoke, return_exceptions=True)
    assert isinstance(error, BaseException), f"it answered {error}"
    return driver_error(error.__cause__ if isinstance(error, StorageUnavailable) and error.__cause__ else error)


@pytest.mark.parametrize(
    ("address", "provoke", "code", "reaction"),
    [
        ({"query": "default_transaction_read_only=on"}, write(UPDATE), "25006", RECONNECT),
        ({"query": "default_transaction_read_only=on"}, fetch(f"{UPDATE} RETURNING 1"), "25006", RECONNECT),
        ({}, read(OWN_END), ENDED, RECONNECT),
        ({}, write(OWN_END), ENDED, RECONNECT),
        ({}, fetch(OWN_END), ENDED, RECONNECT),
        ({"user": "crowded"}, read("SELECT 1"), "53300", REFUSE),
        ({"user": "asked:wrong"}, read("SELECT 1"), "28P01", REFUSE),
        ({"path": "/nowhere"}, read("SELECT 1"), "3D000", REFUSE),
        ({"user": "asked:right"}, read("SELECT * FROM orders"), "42501", REFUSE),
        ({"query": "statement_timeout=50ms"}, read("SELECT pg_sleep(60)"), "57014", REFUSE),
        ({"query": "statement_timeout=50ms"}, fetch("SELECT pg_sleep(60)"), "57014", REFUSE),
        ({"query": "temp_file_limit=64kB&work_mem=64kB"}, read("SELECT * FROM generate_series(1, 99999) a ORDER BY -a"),
         "53400", REFUSE),
        ({}, read("SELECT * FROM nowhere"), "42P01", FAULT),
        ({}, fetch("SELECT * FROM nowhere"), "42P01", FAULT),
        ({}, read("SELECT 1/0"), "22012", FAULT),
        ({}, write("INSERT INTO log_heads (bucket, position) VALUES (1, 1)"), "23505", FAULT),
        ({"port": free_port()}, read("SELECT 1"), "", RECONNECT),
    ],
)  # fmt: skip
async def test_an_error_of_a_server_is_answered_as_the_table_says(
    there: str,
    at: Callable[[str], Database],
    address: dict[str, object],
    provoke: Provoke,
    code: str,
    reaction: Reaction,
) -> None:
    database = at(other(there, **address))  # type: ignore[arg-type]

    error = await failure(provoke(database))

    assert sqlstate(error) in (code.split() or [""])
    assert reaction_to(error) is reaction


@pytest.mark.parametrize("provoke", [read("SELECT 1"), write(UPDATE), fetch("SELECT 1")])
async def test_a_terminated_session_is_replaced(
    there: str, server: LocalPostgres, at: Callable[[str], Database], provoke: Provoke
) -> None:
    database = at(other(there, query="application_name=ended"))
    await provoke(database)
    ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'ended'"
    assert server.ask(ended) == 1
    await asyncio.to_thread(
        eventually, lambda: not server.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'ended'")
    )

    outcomes = [await asyncio.gather(provoke(database), return_exceptions=True) for _ in range(2)]

    assert isinstance(outcomes[0][0], StorageUnavailable) or not isinstance(outcomes[0][0], BaseException)
    assert not isinstance(outcomes[1][0], BaseException)


async def test_a_server_that_starts_up_is_waited_for(
    server: LocalPostgres, at: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    def starts_up(url: str) -> bool:
        try:
            return answers(url)
        except asyncpg.PostgresError:
            return True

    standby = obtain(lambda: LocalPostgres({"hot_standby": "off"}))
    monkeypatch.setattr("tests.support.postgres.answers", lambda url: not starts_up(url) and _refuses(url))
    try:
        await asyncio.to_thread(standby.follow, server)

        error = await failure(at(standby.url).rows(text("SELECT 1")))
    finally:
        standby.close()

    assert (sqlstate(error), reaction_to(error)) == ("57P03", RECONNECT)


def _refuses(url: str) -> bool:
    async def refused() -> bool:
        try:
            connection = await asyncpg.connect(url)
        except asyncpg.CannotConnectNowError:
            return True
        except OSError:
            return False
        await connection.close()
        return False

    return asyncio.run(refused())


async def test_the_victim_of_a_deadlock_lost_against_another_transaction(
    there: str, at: Callable[[str], Database]
) -> None:
    database = at(other(there, query="deadlock_timeout=20ms"))
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with database.writing() as connection:
            await connection.execute(text(f"SELECT * FROM log_heads WHERE bucket = {first} FOR UPDATE"))
            await both.wait()
            await connection.execute(text(f"SELECT * FROM log_heads WHERE bucket = {second} FOR UPDATE"))

    outcomes = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {type(None), TransactionConflict}


async def test_a_lock_that_is_not_got_in_time_is_refused(there: str, at: Callable[[str], Database]) -> None:
    database = at(other(there, query="lock_timeout=50ms"))

    async with database.writing() as connection:
        await connection.execute(text("SELECT * FROM log_heads WHERE bucket = 1 FOR UPDATE"))
        error = await failure(write("SELECT * FROM log_heads WHERE bucket = 1 FOR UPDATE")(database))

    assert (sqlstate(error), reaction_to(error)) == ("55P03", REFUSE)


async def test_a_session_that_was_idle_in_its_transaction_for_too_long_is_replaced(
    there: str, at: Callable[[str], Database]
) -> None:
    database = at(other(there, query="idle_in_transaction_session_timeout=20ms"))

    async def idle() -> None:
        async with database.writing() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            gone = asyncio.Event()
            driver.add_termination_listener(lambda _: gone.set())
            await connection.execute(text("SELECT 1"))
            await asyncio.wait_for(gone.wait(), 180)
            await connection.execute(text("SELECT 1"))

    error = await failure(idle())

    assert reaction_to(error) is RECONNECT
    await database.rows(text("SELECT 1"))


async def test_a_full_disk_is_waited_for(server: LocalPostgres, there: str, at: Callable[[str], Database]) -> None:
    database = at(there)
    with small_disk() as folder:
        server.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
        await write("CREATE TABLE filled (one text) TABLESPACE small")(database)
        fill = write("INSERT INTO filled SELECT repeat('x', 1000) FROM generate_series(1, 3000)")

        error = await failure(fill(database))

        await write("DROP TABLE filled")(database)
        server.execute("DROP TABLESPACE small")
    assert (sqlstate(error), reaction_to(error)) == ("53100", REFUSE)


@pytest.mark.parametrize("ask", [read, fetch])
async def test_a_read_that_loses_against_other_transactions_is_repeated_a_bounded_number_of_times(
    there: str, at: Callable[[str], Database], ask: Callable[[str], Provoke]
) -> None:
    database = at(there)
    await _serialization_failures(database)

    answer = await ask(f"SELECT fails({ATTEMPTS - 1})")(database)
    with pytest.raises(TransactionConflict):
        await ask(f"SELECT fails({ATTEMPTS})")(database)

    assert [tuple(row) for row in answer] == [(ATTEMPTS,)]  # type: ignore[attr-defined]


async def _serialization_failures(database: Database) -> None:
    """Make ``fails(n)``: it fails n times as a transaction that cannot be serialized, and then returns the attempt."""
    await write("DROP SEQUENCE IF EXISTS attempts")(database)
    await write("CREATE SEQUENCE attempts")(database)
    await write(
        "CREATE OR REPLACE FUNCTION fails(times int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN "
        "IF nextval('attempts') <= times THEN RAISE SQLSTATE '40001'; END IF; "
        "PERFORM setval('attempts', 1, false); RETURN times + 1; END $$"
    )(database)
