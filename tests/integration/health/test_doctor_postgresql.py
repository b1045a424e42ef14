"""The doctor's findings in a real PostgreSQL, each provoked once."""

import asyncio
import re
import socket
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from socketserver import BaseRequestHandler, TCPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from attrs import evolve
from orderflow.adapters.sql import SqlStorage, newest
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.adapters.sql.database import Database
from orderflow.adapters.sql.health import SqlHealth
from orderflow.application.consuming.dead_letter import DeadLetter
from orderflow.application.health.doctor import clocks
from orderflow.application.health.doctor import connections as reach
from orderflow.application.health.facts import DatabaseFacts
from orderflow.application.health.processes import Part
from orderflow.domain.actor import Actor, Role
from orderflow.testing.orders import placed
from orderflow.testing.prices import PIZZA
from orderflow.testing.processes import process
from sqlalchemy import text

from tests.integration.health.conftest import Doctor
from tests.support.databases import migrated
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import LocalPostgres, PostgresServer
from tests.support.servers import free_port, obtain, started
from tests.support.waiting import eventually
from tests.unit.domain.actors import AT, line
from tests.unit.health.observations import HEALTHY, WANTED


def other(url: str, **parts: str) -> str:
    """``url`` with another part, such as ``netloc`` or ``query``."""
    return urlunsplit(urlsplit(url)._replace(**parts))


def at(url: str, *, user: str = "", host: str = "", port: int = 0) -> str:
    """``url`` with another user, host or port."""
    there = urlsplit(url)
    login = user or there.netloc.rpartition("@")[0]
    return other(url, netloc=f"{login}@{host or there.hostname}:{port or there.port}")


def doing(*statements: str) -> Callable[[SqlStorage], Coroutine[Any, Any, None]]:
    """Return a function that executes statements as the owner of the database."""

    async def work(storage: SqlStorage) -> None:
        async with storage.database.writing() as connection:
            for statement in statements:
                await connection.execute(text(statement))

    return work


@pytest.fixture(scope="module")
def careless() -> Iterator[PostgresServer]:
    """A PostgreSQL that risks its data, has few connections, and looks at who comes in."""

    def made() -> PostgresServer:
        return started(
            LocalPostgres(
                {"fsync": "off", "full_page_writes": "off", "max_connections": "12"},
                access=["host all asked 127.0.0.1/32 scram-sha-256", "host all stranger 127.0.0.1/32 reject"],
            )
        )

    server = obtain(made)
    server.execute("CREATE ROLE asked LOGIN PASSWORD 'right'")
    yield server
    server.close()


def test_a_well_database_has_nothing(well_database: str) -> None:
    answer = Doctor(well_database)()

    assert answer.data == {"healthy": True, "problems": 0, "warnings": 0, "findings": []}
    assert answer.code == 0


def test_a_database_without_schema(database_url: str) -> None:
    answer = Doctor(database_url)()

    assert [finding["code"] for finding in answer.data["findings"]] == ["schema_missing"]
    assert answer.data["findings"][0]["fix"] == "`orderflow db upgrade`"
    assert answer.code == 1


@pytest.mark.parametrize(("version", "code"), [("0002", "schema_behind"), ("9999", "schema_ahead")])
def test_a_schema_of_another_release(own_database: str, version: str, code: str) -> None:
    doctor = Doctor(own_database)

    async def stamp(storage: SqlStorage) -> None:
        async with storage.database.writing() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": version})

    doctor.storage(stamp)

    assert list(doctor.findings()) == [code]
    assert newest() in doctor.findings()[code]


def test_settings_on_which_promises_rest(own_database: str, postgres: PostgresServer) -> None:
    name = urlsplit(own_database).path.removeprefix("/")
    for setting in ("synchronous_commit = off", "default_transaction_read_only = on"):
        postgres.execute(f'ALTER DATABASE "{name}" SET {setting}')
    doctor = Doctor(other(own_database, query="lock_timeout=0&idle_in_transaction_session_timeout=0"))

    found = doctor.findings()

    assert list(found) == ["postgresql_synchronous_commit", "postgresql_read_only", "postgresql_timeouts"]
    assert found["postgresql_synchronous_commit"] == "synchronous_commit = off"
    assert found["postgresql_timeouts"].startswith("lock_timeout and idle_in_transaction_session_timeout")


def test_a_server_that_risks_its_data(careless: PostgresServer) -> None:
    found = Doctor(migrated(careless.create_database())).findings()

    assert found == {"postgresql_fsync": "fsync = off", "postgresql_full_page_writes": "full_page_writes = off"}


def test_a_database_that_cannot_store_every_text(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    name = urlsplit(postgres.create_database()).path.removeprefix("/")
    postgres.execute(f'DROP DATABASE "{name}"')
    postgres.execute(f"CREATE DATABASE \"{name}\" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url = other(postgres.url, path=f"/{name}")

    refused = Doctor(url).line()("db", "upgrade")
    without_schema = Doctor(url).findings()
    with monkeypatch.context() as as_before:
        as_before.setattr("orderflow.adapters.sql.schema._check_encoding", _unchecked)
        migrated(url)
    answer = Doctor(url)()
    listed = Doctor(url).line()("orders", "list")

    assert refused.code == 1
    assert "the database's encoding is LATIN1" in refused.err
    assert list(without_schema) == ["schema_missing", "postgresql_encoding"]
    assert [finding["code"] for finding in answer.data["findings"]] == ["postgresql_encoding"]
    assert answer.code == 1
    assert (listed.code, "the database's encoding is LATIN1" in listed.err) == (1, True)


async def _unchecked(_: object) -> None:
    """As releases did that did not look at the encoding."""


async def test_an_address_with_another_client_encoding_stores_every_text(own_database: str) -> None:
    storage = SqlStorage.at(other(own_database, query="client_encoding=latin1"))
    await storage.open()

    await placed(storage, "o1", restaurant_id="R7", lines=(evolve(line(), food_name="Käse für 5 € 🌶️"),))

    assert (await storage.views.get("o1")).lines[0].food_name == "Käse für 5 € 🌶️"
    await storage.close()


def test_standbys_that_commits_wait_for(careless: PostgresServer) -> None:
    url = migrated(careless.create_database())
    careless.execute("CREATE ROLE watched LOGIN SUPERUSER")

    with _set(careless, "synchronous_standby_names", "s1"):
        found = Doctor(url).findings()

    assert list(found)[:1] == ["postgresql_fsync"]
    assert found["postgresql_standbys_absent"].endswith("0 of 1 synchronous standbys are connected")


class _set:
    """A setting of the server, inside the context."""

    def __init__(self, server: PostgresServer, name: str, value: str) -> None:
        self.server, self.name, self.value = server, name, value

    def __enter__(self) -> None:
        self.server.execute(f"ALTER SYSTEM SET {self.name} = '{self.value}'")
        self._reload(self.value)

    def __exit__(self, *raised: object) -> None:
        self.server.execute(f"ALTER SYSTEM RESET {self.name}")
        self._reload("")

    def _reload(self, value: str) -> None:
        self.server.execute("SELECT pg_reload_conf()")
        eventually(lambda: self.server.ask(f"SHOW {self.name}") == value)


def test_another_isolation_is_found_if_it_is_in_effect(
    own_database: str, postgres: PostgresServer, pgbouncer: PgBouncer
) -> None:
    name = urlsplit(own_database).path.removeprefix("/")
    postgres.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'")

    itself = Doctor(own_database).findings()
    through = Doctor(pgbouncer.to(own_database)).findings(DATABASE_POOLER="transaction")

    assert itself == {}
    assert through == {"postgresql_isolation": "default_transaction_isolation = serializable"}


def test_a_limit_of_the_user_counts_like_that_of_the_server(own_database: str, postgres: PostgresServer) -> None:
    name = urlsplit(own_database).path.removeprefix("/")
    postgres.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 5')
    doctor = Doctor(own_database)

    async def one_process(storage: SqlStorage) -> None:
        await storage.processes.heartbeat(process(), datetime.now(UTC))

    doctor.storage(one_process)

    assert "CONNECTION LIMIT 5" in doctor.findings()["postgresql_connections"]


def test_a_standby_where_a_primary_is_asked_for(own_database: str) -> None:
    query = "default_transaction_read_only=on&target_session_attrs=read-write"

    answer = Doctor(other(own_database, query=query))()

    assert [finding["code"] for finding in answer.data["findings"]] == ["database_not_writable"]
    assert answer.code == 5


def test_pools_for_which_there_are_not_enough_connections(own_database: str) -> None:
    doctor = Doctor(own_database)

    async def one_process(storage: SqlStorage) -> None:
        parts = tuple(Part(name) for name in ("api", "notifications", "analytics", "inventory"))
        await storage.processes.heartbeat(process(parts=parts), datetime.now(UTC))

    doctor.storage(one_process)

    assert list(doctor.findings(DATABASE_POOL_SIZE="1000")) == ["postgresql_connections"]


@pytest.mark.parametrize(
    ("sick", "code"),
    [
        ({"host": "nobody.invalid"}, "database_no_such_host"),
        ({"port": -1}, "database_refused"),
        ({"user": "asked:wrong"}, "database_authentication"),
        ({"user": "stranger"}, "database_authentication"),
    ],
)
def test_a_server_that_cannot_be_reached_is_reported_with_the_reason(
    careless: PostgresServer, sick: dict[str, object], code: str
) -> None:
    url = at(careless.url, **{**sick, **({"port": free_port()} if "port" in sick else {})})  # type: ignore[arg-type]

    answer = Doctor(url)()

    assert [finding["code"] for finding in answer.data["findings"]] == [code]
    assert answer.code == 5
    assert "wrong" not in answer.out + answer.err


def test_the_right_password_is_let_in(careless: PostgresServer) -> None:
    assert list(Doctor(at(careless.url, user="asked:right")).findings()) == [
        "schema_missing",
        "postgresql_fsync",
        "postgresql_full_page_writes",
    ]


def test_a_database_that_is_not_there(postgres: PostgresServer) -> None:
    assert list(Doctor(other(postgres.url, path="/nobodys")).findings()) == ["database_missing"]


def test_a_server_without_tls_where_tls_is_asked_for(well_database: str) -> None:
    found = Doctor(other(well_database, query="sslmode=require")).findings()

    assert list(found) == ["database_tls"]
    assert "SSL" in found["database_tls"]


def test_a_user_who_may_not_read_what_is_asked(own_database: str, postgres: PostgresServer) -> None:
    clerk = f"clerk_{urlsplit(own_database).path.rpartition('_')[2]}"
    postgres.execute(f"CREATE ROLE {clerk} LOGIN PASSWORD 'clerk'")
    doctor = Doctor(at(own_database, user=f"{clerk}:clerk"))

    nothing = doctor.findings()
    Doctor(own_database).storage(doing(f"GRANT SELECT ON alembic_version TO {clerk}"))
    little = doctor()

    assert nothing == {"database_not_allowed": "permission denied for table alembic_version"}
    assert {finding["code"] for finding in little.data["findings"]} == {"unanswered"}
    assert little.code == 5


def test_a_server_that_takes_its_time(own_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "SLOW_SECONDS", 0.25)
    doctor = Doctor(own_database)
    doctor.storage(
        doing(
            "CREATE SCHEMA slow",
            "CREATE FUNCTION slow.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS "
            "'SELECT pg_catalog.clock_timestamp() FROM pg_sleep(0.3)'",
        )
    )

    assert list(Doctor(other(own_database, query="search_path=slow,pg_catalog,public")).findings()) == ["database_slow"]


def test_a_database_that_refuses_connections(own_database: str, postgres: PostgresServer) -> None:
    postgres.execute(f'ALTER DATABASE "{urlsplit(own_database).path.removeprefix("/")}" ALLOW_CONNECTIONS false')

    assert list(Doctor(own_database).findings()) == ["database_failed"]


def test_a_server_that_hangs_up(well_database: str) -> None:
    with TCPServer(("127.0.0.1", 0), BaseRequestHandler) as leaving:
        Thread(target=leaving.serve_forever, args=(0.05,), daemon=True).start()

        found = Doctor(at(well_database, port=leaving.server_address[1])).findings()

        leaving.shutdown()
    assert list(found) == ["database_dropped"]


def test_a_server_that_takes_no_more_connections(careless: PostgresServer) -> None:
    async def crowd() -> list[asyncpg.Connection]:
        connections = []
        try:
            while True:
                connections.append(await asyncpg.connect(careless.url))
        except asyncpg.TooManyConnectionsError:
            return connections

    async def visit() -> list[str]:
        connections = await crowd()
        try:
            return list(await asyncio.to_thread(Doctor(careless.url).findings))
        finally:
            for connection in connections:
                await connection.close()

    assert asyncio.run(visit()) == ["database_busy"]


def test_a_server_that_says_nothing(well_database: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = Doctor(at(well_database, port=silent.getsockname()[1]))()

    assert [finding["code"] for finding in answer.data["findings"]] == ["database_timeout"]
    assert answer.code == 5


async def test_a_clock_that_is_behind_the_databases(well_database: str) -> None:
    database = Database.at(well_database, pool_size=1)
    slow = SqlHealth(database, clock=lambda: datetime.now(UTC) - timedelta(seconds=90))

    right, wrong = await SqlHealth(database).facts(), await slow.facts()

    await database.close()
    assert isinstance(right, DatabaseFacts)
    assert isinstance(wrong, DatabaseFacts)
    assert right.clock is not None
    assert abs(right.clock.ahead) < 20
    assert wrong.clock is not None
    assert wrong.clock.ahead == pytest.approx(90, abs=20)
    assert _clocks(wrong) == ["clock_database"]
    assert _clocks(right) == []


def test_processes_that_are_gone_late_or_of_another_version(own_database: str) -> None:
    doctor = Doctor(own_database)

    async def processes(storage: SqlStorage) -> None:
        for name, version, ahead in (("p1", "0.0.9", 0), ("p2", "0.1.0", 300), ("p3", "0.1.0", 0)):
            said = process(name, version=version, parts=(Part("analytics"),))
            await storage.processes.heartbeat(said, datetime.now(UTC) + timedelta(seconds=ahead))
        async with storage.database.writing() as connection:
            old = "UPDATE processes SET last_seen_at = last_seen_at - interval '2 minutes' WHERE id = 'p3'"
            await connection.execute(text(old))

    doctor.storage(processes)

    found = doctor.findings()
    assert list(found) == ["versions_differ", "part_not_running", "process_gone", "clock_process"]
    assert "0.0.9: consumers on kitchen-1" in found["versions_differ"]
    assert re.search(r"2[89]\d\.|300\.", found["clock_process"])


def test_events_that_no_consumer_handles_and_an_order_that_is_parked(own_database: str) -> None:
    doctor = Doctor(own_database)

    async def waiting(storage: SqlStorage) -> None:
        await placed(storage, "o1")
        [record] = await storage.log.history("o1")
        dead_letter = DeadLetter(
            consumer="analytics", record=record, error="KeyError", first_failed_at=AT, last_failed_at=AT
        )
        async with SqlConsumerStores(storage).store("analytics") as work:
            await work.dead_letters.keep([dead_letter])

    doctor.storage(waiting)

    found = doctor.findings()
    assert list(found) == ["consumer_missing", "parked_orders"]
    assert found["parked_orders"] == "analytics: 1"


def test_an_api_that_would_be_open_to_everybody(well_database: str) -> None:
    assert list(Doctor(well_database).findings(HTTP_HOST="0.0.0.0")) == ["tokens_missing"]


def test_customers_with_tokens_and_orders_without_prices(own_database: str) -> None:
    doctor = Doctor(own_database)

    async def open_to_customers(storage: SqlStorage) -> None:
        await storage.tokens.add("digest", Actor(Role.CUSTOMER, "C1"), label="", at=AT)

    async def with_prices(storage: SqlStorage) -> None:
        await storage.prices.change("R7", [PIZZA], at=AT)

    doctor.storage(open_to_customers)
    trusted, missing = doctor.findings(), doctor.findings(PRICES="list")
    doctor.storage(with_prices)

    assert (list(trusted), list(missing)) == (["prices_trusted"], ["prices_missing"])
    assert list(doctor.findings(PRICES="list")) == []


def test_warnings_alone_count_when_asked(own_database: str) -> None:
    doctor = Doctor(other(own_database, query="lock_timeout=0"))

    lenient, strict = doctor(), doctor("--strict")

    assert (lenient.code, strict.code) == (0, 1)
    assert (lenient.data["healthy"], strict.data["healthy"]) == (True, False)


def _clocks(facts: DatabaseFacts) -> list[str]:
    return [finding.code for finding in clocks.check(evolve(HEALTHY, database=facts), WANTED)]
