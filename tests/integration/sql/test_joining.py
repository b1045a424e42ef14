"""An order and the application's own row commit together, or not at all: ``OrderFlow.joining`` on real databases."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import django.db
import pytest
from attrs import frozen
from orderflow import (
    CommandRefused,
    ConcurrentChange,
    EventTooLarge,
    InvalidInput,
    NotConfigured,
    OrderEvent,
    OrderFlow,
    OrderNotFound,
    OrderQuery,
    OrderState,
    PaymentStatus,
    StorageUnavailable,
)
from orderflow.application.log_lines import EACH
from orderflow.application.orders.unit_of_work import LogPublisher
from orderflow.domain.errors import GuardFailed
from orderflow.testing.orders import in_bucket
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from tests.doors.entrypoints.test_embedded import pizzas, placed
from tests.support.databases import migrated_database
from tests.support.postgres import PostgresServer
from tests.support.waiting import eventually_async

ORDER = {"customer_id": "C1", "restaurant_id": "R7", "lines": pizzas(), "currency": "EUR"}
DRIVERS = {
    "pysqlite": "sqlite",
    "aiosqlite": "sqlite+aiosqlite",
    "psycopg": "postgresql+psycopg",
    "asyncpg": "postgresql+asyncpg",
}


@frozen
class Application:
    """An application with a table of its own in the database of the orders, and a flow on it."""

    flow: OrderFlow
    engine: Engine | AsyncEngine
    url: str

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection | AsyncConnection]:
        if isinstance(self.engine, AsyncEngine):
            async with self.engine.begin() as connection:
                yield connection
        else:
            with self.engine.begin() as connection:
                yield connection

    async def write(self, connection: Connection | AsyncConnection, order_id: str) -> None:
        await execute(connection, f"INSERT INTO receipts VALUES ('{order_id}')")

    async def receipts(self) -> set[str]:
        async with self.transaction() as connection:
            return {row[0] for row in await execute(connection, "SELECT order_id FROM receipts")}

    async def orders(self) -> set[str]:
        return {order.id for order in (await self.flow.list_orders()).orders}

    async def consistent(self) -> bool:
        report = await self.flow.container.check()()
        assert report.clean, report
        return True


async def execute(connection: Connection | AsyncConnection, sql: str) -> Sequence[Any]:
    statement = text(sql)
    if isinstance(connection, AsyncConnection):
        result = await connection.execute(statement)
    else:
        result = await asyncio.to_thread(connection.execute, statement)
    return result.all() if result.returns_rows else ()


@asynccontextmanager
async def application(driver: str, url: str, **given: Any) -> AsyncIterator[Application]:
    address = f"{DRIVERS[driver]}:{url.partition('?')[0].partition(':')[2]}"
    asynchronous = driver in ("aiosqlite", "asyncpg")
    engine = create_async_engine(address) if asynchronous else create_engine(address)
    async with OrderFlow.open(url, payment_gateway="sandbox", **given) as flow:
        it = Application(flow, engine, url)
        async with it.transaction() as connection:
            await execute(connection, "CREATE TABLE IF NOT EXISTS receipts (order_id TEXT PRIMARY KEY)")
            await execute(connection, "DELETE FROM receipts")
        yield it
        if isinstance(engine, AsyncEngine):
            await engine.dispose()
        else:
            engine.dispose()


@pytest.fixture(params=DRIVERS)
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Application]:
    """An application with each driver."""
    url = request.getfixturevalue("sqlite_url" if "sqlite" in request.param else "postgresql_url")
    async with application(request.param, url) as it:
        yield it


@pytest.fixture(params=["psycopg", "asyncpg"])
def on_postgresql(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("driver", DRIVERS)
async def test_an_order_of_a_block_is_found_by_its_telephone_number_in_any_spelling(
    request: pytest.FixtureRequest, driver: str
) -> None:
    url = request.getfixturevalue("sqlite_url" if "sqlite" in driver else "postgresql_url")
    async with application(driver, url, phone_region="DE") as shop:
        async with shop.transaction() as connection, shop.flow.joining(connection) as orders:
            await orders.create_order(order_id="O1", customer_phone="030 123456", **ORDER)

        found = await shop.flow.list_orders(OrderQuery(q="+49 30 123456"))

    assert [order.id for order in found.orders] == ["O1"]


async def test_an_order_and_a_row_commit_together(shop: Application) -> None:
    async with shop.transaction() as connection:
        await shop.write(connection, "O1")
        async with shop.flow.joining(connection) as orders:
            await orders.create_order(order_id="O1", **ORDER)
            await orders.assign_shipper("O1", "S3")
            assert (await orders.get_order("O1")).state is OrderState.PREPARING
            with pytest.raises(OrderNotFound):
                await shop.flow.get_order("O1")

    order = await shop.flow.get_order("O1")
    history = await shop.flow.timeline("O1")
    assert (order.state, order.shipper_id, await shop.receipts()) == (OrderState.PREPARING, "S3", {"O1"})
    assert [(entry.record.position, entry.event.sequence) for entry in history] == [(1, 1), (2, 2), (3, 3)]
    assert await shop.consistent()


async def test_neither_is_there_after_a_rollback_and_positions_stay_dense(shop: Application) -> None:
    async def failing() -> None:
        async with shop.transaction() as connection:
            await shop.write(connection, "O1")
            async with shop.flow.joining(connection) as orders:
                await orders.create_order(order_id="O1", **ORDER)
            raise RuntimeError("no bread")

    with pytest.raises(RuntimeError, match="no bread"):
        await failing()
    await placed(shop.flow, "O1")

    assert await shop.receipts() == set()
    assert [entry.record.position for entry in await shop.flow.timeline("O1")] == [1]
    assert await shop.consistent()


async def test_an_exception_inside_the_block_writes_nothing_of_it(shop: Application) -> None:
    async with shop.transaction() as connection:
        await shop.write(connection, "O1")

        async def failing() -> None:
            async with shop.flow.joining(connection) as orders:
                await orders.create_order(order_id="O1", **ORDER)
                raise RuntimeError("no bread")

        with pytest.raises(RuntimeError, match="no bread"):
            await failing()

    assert (await shop.receipts(), await shop.orders()) == ({"O1"}, set())


async def test_a_command_that_is_refused_leaves_the_others(shop: Application) -> None:
    async with shop.transaction() as connection, shop.flow.joining(connection) as orders:
        await orders.create_order(order_id="O1", **ORDER)
        with pytest.raises(CommandRefused):
            await orders.transition_order_state("O1", "on_the_way")
        await orders.create_order(order_id="O2", **ORDER)

    assert await shop.orders() == {"O1", "O2"}


async def test_commands_of_one_block_that_change_an_order_at_the_same_time_follow_each_other(shop: Application) -> None:
    flow = shop.flow
    async with shop.transaction() as connection, flow.joining(connection) as orders:
        await asyncio.gather(*(orders.create_order(order_id="O1", **ORDER) for _ in range(3)))
        await asyncio.gather(*(orders.assign_shipper("O1", f"S{number}") for number in range(3)))

    timeline = await flow.timeline("O1")
    assert [entry.event.sequence for entry in timeline] == [*range(1, len(timeline) + 1)]
    assert [entry.event.type for entry in timeline].count("order.shipper_assigned") == 3
    assert await shop.consistent()


async def test_a_savepoint_of_the_application_takes_the_order_back(shop: Application) -> None:
    async with shop.transaction() as connection:
        await shop.write(connection, "O1")
        savepoint = connection.begin_nested()
        if isinstance(connection, AsyncConnection):
            await savepoint
        async with shop.flow.joining(connection) as orders:
            await orders.create_order(order_id="O1", **ORDER)
        rolled_back = savepoint.rollback()
        if rolled_back is not None:
            await rolled_back

    assert (await shop.receipts(), await shop.orders()) == ({"O1"}, set())
    assert await shop.consistent()


async def test_an_event_that_is_too_large_leaves_the_transaction_usable(
    on_postgresql: str, postgresql_url: str
) -> None:
    async with application(on_postgresql, postgresql_url, event_max_bytes=1_000) as shop:
        async with shop.transaction() as connection:
            await shop.write(connection, "O1")
            with pytest.raises(EventTooLarge):
                await _create(shop, connection, lines=pizzas() * 20)

        assert (await shop.receipts(), await shop.orders()) == ({"O1"}, set())


async def test_a_change_that_was_overtaken_is_refused_and_the_block_may_be_repeated(
    on_postgresql: str, postgresql_url: str
) -> None:
    async with application(on_postgresql, postgresql_url) as shop:
        await placed(shop.flow, "O1")
        async with shop.transaction() as connection:
            await shop.write(connection, "O1")

            async def assigned(*, overtaken: bool) -> None:
                async with shop.flow.joining(connection) as orders:
                    await orders.create_order(order_id="O2", **ORDER)
                    await orders.assign_shipper("O1", "S3")
                    if overtaken:
                        await shop.flow.assign_shipper("O1", "S4")

            with pytest.raises(ConcurrentChange) as refused:
                await assigned(overtaken=True)
            assert refused.value.order_id == "O1"
            await assigned(overtaken=False)

        assert (await shop.flow.get_order("O1")).shipper_id == "S3"
        assert (await shop.receipts(), await shop.orders()) == ({"O1"}, {"O1", "O2"})
        assert await shop.consistent()


async def test_two_transactions_that_create_one_order_agree(on_postgresql: str, postgresql_url: str) -> None:
    async with application(on_postgresql, postgresql_url) as shop:

        async def create(first: asyncio.Event, done: asyncio.Event) -> int:
            for tries in range(1, 4):
                async with shop.transaction() as connection:
                    try:
                        async with shop.flow.joining(connection) as orders:
                            await orders.create_order(order_id="O1", **ORDER)
                            first.set()
                            await done.wait()
                        return tries
                    except ConcurrentChange:
                        continue
            raise AssertionError("never created")

        one, other = asyncio.Event(), asyncio.Event()
        outcomes = await asyncio.gather(create(one, other), create(other, one))

        assert sorted(outcomes) == [1, 2]
        assert len(await shop.flow.timeline("O1")) == 1
        assert await shop.consistent()


async def _create(shop: Application, connection: Any, **order: Any) -> None:
    async with shop.flow.joining(connection) as orders:
        await orders.create_order(**{"order_id": "O1", **ORDER, **order})


@pytest.mark.parametrize("kind", ["same tables", "another schema"])
async def test_a_connection_to_another_database_is_refused(
    kind: str, on_postgresql: str, postgresql_url: str, postgres: PostgresServer
) -> None:
    """A copy has the same tables under the same ids."""
    other_url = migrated_database(postgres) if kind == "same tables" else postgresql_url
    async with application(on_postgresql, postgresql_url) as shop, application(on_postgresql, other_url) as other:
        async with other.transaction() as connection:
            if kind == "another schema":
                await execute(connection, "CREATE SCHEMA IF NOT EXISTS elsewhere")
                await execute(connection, "SET LOCAL search_path = elsewhere")

            with pytest.raises(InvalidInput, match="connection"):
                await _create(shop, connection)

        assert await shop.orders() == set()


async def test_orders_are_read_from_their_own_schema(on_postgresql: str, postgresql_url: str) -> None:
    async with application(on_postgresql, postgresql_url) as shop:
        translated = shop.engine.execution_options(schema_translate_map={None: "tenant"})
        tenant = Application(shop.flow, translated, shop.url)
        await placed(shop.flow, "O1")

        async with tenant.transaction() as connection, shop.flow.joining(connection) as orders:
            await orders.assign_shipper("O1", "S3")

        assert (await shop.flow.get_order("O1")).shipper_id == "S3"


async def test_another_sqlite_file_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    async with OrderFlow.open(sqlite_url) as flow:
        elsewhere = (f"sqlite:///{tmp_path}/other.db", "sqlite://", "sqlite:///file::memory:?uri=true")
        for address in elsewhere:
            with create_engine(address).begin() as connection, pytest.raises(InvalidInput, match="connection"):
                async with flow.joining(connection):
                    pass


async def test_a_sqlite_driver_that_begins_nothing_by_itself_joins(sqlite_url: str) -> None:
    engine = create_engine(sqlite_url, connect_args={"isolation_level": None})
    async with OrderFlow.open(sqlite_url) as flow:
        for order_id in ("O1", "O2"):
            with engine.connect() as connection:
                async with flow.joining(connection) as orders:
                    await orders.create_order(order_id=order_id, **ORDER)
                (connection.commit if order_id == "O2" else connection.rollback)()

        assert [order.id for order in (await flow.list_orders()).orders] == ["O2"]
    engine.dispose()


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (object(), "it is <object"),
        (django.db.connection, "it is Django's, which is never joined; .* of SQLAlchemy; .* call create_order with"),
        (
            sqlite3.connect(":memory:"),
            "it is a Connection of sqlite3, and not of SQLAlchemy; .* call create_order with",
        ),
    ],
    ids=["nothing", "Django", "DB-API"],
)
async def test_what_is_no_connection_of_sqlalchemy_is_refused(sqlite_url: str, given: Any, problem: str) -> None:
    async with OrderFlow.open(sqlite_url) as flow:
        with pytest.raises(InvalidInput, match=problem):
            async with flow.joining(given):
                pass


async def test_memory_and_publishers_that_wait_for_the_commit_are_refused(sqlite_url: str) -> None:
    direct: dict[str, Any] = {"publishing": "direct", "kafka_bootstrap_servers": "127.0.0.1:1"}
    with create_engine(sqlite_url).connect() as connection:
        async with OrderFlow.in_memory() as flow:
            with pytest.raises(NotConfigured, match="memory"):
                await flow.joining(connection).__aenter__()
        for publishing in (direct, {"publisher": partial(LogPublisher)}):
            async with OrderFlow.open(sqlite_url, **publishing) as flow:
                with pytest.raises(NotConfigured, match="ORDERFLOW_PUBLISHING"):
                    await flow.joining(connection).__aenter__()


async def test_a_commit_inside_the_block_is_found_out(shop: Application) -> None:
    async def committing(connection: Any) -> None:
        async with shop.flow.joining(connection) as orders:
            await orders.create_order(order_id="O1", **ORDER)
            committed = connection.get_transaction().commit()
            if committed is not None:
                await committed

    async def connecting() -> None:
        if isinstance(shop.engine, AsyncEngine):
            async with shop.engine.connect() as connection:
                await committing(connection)
        else:
            with shop.engine.connect() as connection:
                await committing(connection)

    with pytest.raises(InvalidInput, match="has ended"):
        await connecting()

    assert await shop.orders() == set()


async def test_a_commit_behind_sqlalchemys_back_is_found_out(on_postgresql: str, postgresql_url: str) -> None:
    async with application(on_postgresql, postgresql_url) as shop:

        async def committing() -> None:
            async with shop.transaction() as connection, shop.flow.joining(connection) as orders:
                await orders.create_order(order_id="O1", **ORDER)
                await execute(connection, "COMMIT")
                await execute(connection, "BEGIN")

        with pytest.raises(InvalidInput, match="has ended"):
            await committing()

        assert await shop.orders() == set()


async def test_a_connection_that_commits_each_statement_is_refused(on_postgresql: str, postgresql_url: str) -> None:
    async with application(on_postgresql, postgresql_url) as shop:
        hasty = Application(shop.flow, shop.engine.execution_options(isolation_level="AUTOCOMMIT"), shop.url)

        async def creating() -> None:
            async with hasty.transaction() as connection:
                await _create(hasty, connection)

        with pytest.raises(InvalidInput, match="commits each statement"):
            await creating()

        assert await shop.orders() == set()


async def test_a_read_only_transaction_is_refused(on_postgresql: str, postgresql_url: str) -> None:
    async with application(on_postgresql, postgresql_url) as shop, shop.transaction() as connection:
        await execute(connection, "SET TRANSACTION READ ONLY")

        with pytest.raises(InvalidInput, match="read-only"):
            await _create(shop, connection)


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
async def test_a_strictly_isolated_transaction_joins_or_fails_as_a_whole(
    isolation: str, on_postgresql: str, postgresql_url: str
) -> None:
    async with application(on_postgresql, postgresql_url) as shop:
        strict = Application(shop.flow, shop.engine.execution_options(isolation_level=isolation), shop.url)
        first, second = in_bucket(3, 2)

        async def create(order_id: str, *, overtaken_by: str = "") -> None:
            async with strict.transaction() as connection:
                await strict.write(connection, order_id)
                if overtaken_by:
                    await placed(shop.flow, overtaken_by)
                async with strict.flow.joining(connection) as orders:
                    await orders.create_order(order_id=order_id, **ORDER)

        with pytest.raises(StorageUnavailable, match="conflicted"):
            await create(first, overtaken_by=second)
        await create(first)

        assert (await shop.orders(), await shop.receipts()) == ({first, second}, {first})
        assert await shop.consistent()


async def test_others_wait_for_an_application_that_does_not_commit_only_so_long(
    on_postgresql: str, postgresql_url: str
) -> None:
    bounds = "?lock_timeout=300ms&idle_in_transaction_session_timeout=3s"
    async with application(on_postgresql, postgresql_url + bounds) as shop:
        mine, blocked, free = *in_bucket(3, 2), *in_bucket(4, 1)

        async def idle() -> None:
            async with shop.transaction() as connection:
                await shop.write(connection, mine)
                async with shop.flow.joining(connection) as orders:
                    await orders.create_order(order_id=mine, **ORDER)

                await placed(shop.flow, free)
                with pytest.raises(StorageUnavailable, match="lock timeout"):
                    await placed(shop.flow, blocked)
                await eventually_async(lambda: _created(shop, blocked), that="the idle transaction is ended")

        with pytest.raises(DBAPIError):
            await idle()

        assert (await shop.orders(), await shop.receipts()) == ({free, blocked}, set())
        assert await shop.consistent()


async def _created(shop: Application, order_id: str) -> bool:
    try:
        await placed(shop.flow, order_id)
    except StorageUnavailable:
        return False
    return True


async def test_the_applications_own_time_limits_stay(on_postgresql: str, postgresql_url: str) -> None:
    async def limits(connection: Any) -> list[Any]:
        names = ("lock_timeout", "idle_in_transaction_session_timeout")
        return [(await execute(connection, f"SHOW {name}"))[0][0] for name in names]

    async with application(on_postgresql, postgresql_url) as shop:
        async with shop.transaction() as connection:
            await _create(shop, connection)
            assert await limits(connection) == ["0", "15s"]
        async with shop.transaction() as connection:
            await execute(connection, "SET LOCAL lock_timeout = '2s'")
            await execute(connection, "SET LOCAL idle_in_transaction_session_timeout = '4s'")
            await _create(shop, connection, order_id="O2")
            assert await limits(connection) == ["2s", "4s"]
        async with shop.transaction() as connection:
            assert await limits(connection) == ["0", "0"]


async def test_a_second_block_out_of_order_fails_alone(on_postgresql: str, postgresql_url: str) -> None:
    async with application(on_postgresql, postgresql_url) as shop:
        (low, other_low), (high, other_high) = in_bucket(3, 2), in_bucket(200, 2)

        async def other() -> None:
            """Locks the lower bucket, then waits for the higher one."""
            async with shop.transaction() as connection, shop.flow.joining(connection) as orders:
                await orders.create_order(order_id=other_low, **ORDER)
                await orders.create_order(order_id=other_high, **ORDER)

        async def twice() -> None:
            async with shop.transaction() as connection:
                await execute(connection, "SET LOCAL lock_timeout = '60s'")
                async with shop.flow.joining(connection) as orders:
                    await orders.create_order(order_id=high, **ORDER)
                waiting = asyncio.create_task(other())
                await eventually_async(lambda: _waits(shop), that="the other waits for the bucket")
                try:
                    async with shop.flow.joining(connection) as orders:
                        await orders.create_order(order_id=low, **ORDER)
                finally:
                    waiters.append(waiting)

        waiters: list[asyncio.Task[None]] = []
        with pytest.raises(StorageUnavailable, match="lock timeout"):
            await twice()
        await asyncio.gather(*waiters)

        assert await shop.orders() == {other_low, other_high}
        assert await shop.consistent()


async def _waits(shop: Application) -> bool:
    database = shop.flow.container.storage().database
    [[waiting]] = await database.fetch(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(waiting)


async def test_a_second_block_in_order_joins_the_same_transaction(on_postgresql: str, postgresql_url: str) -> None:
    async with application(on_postgresql, postgresql_url) as shop:
        async with shop.transaction() as connection:
            for order_id in (*in_bucket(200, 1), *in_bucket(3, 1)):
                async with shop.flow.joining(connection) as orders:
                    await orders.create_order(order_id=order_id, **ORDER)

        assert len(await shop.orders()) == 2


async def test_joined_and_group_commits_do_not_deadlock(on_postgresql: str, postgresql_url: str) -> None:
    async with application(on_postgresql, postgresql_url) as shop:

        async def join(number: int) -> None:
            for turn in range(5):
                async with shop.transaction() as connection, shop.flow.joining(connection) as orders:
                    for n in range(4):
                        await orders.create_order(order_id=f"J{number}-{turn}-{(n * 7 + number) % 4}", **ORDER)

        async def plain(number: int) -> None:
            for turn in range(20):
                await placed(shop.flow, f"P{number}-{turn}")

        await asyncio.gather(*(join(n) for n in range(4)), *(plain(n) for n in range(16)))

        heads = await shop.flow.container.storage().log.heads()
        assert sum(heads.values()) == 4 * 5 * 4 + 16 * 20
        assert await shop.consistent()


async def test_readers_are_notified_of_a_joined_commit(on_postgresql: str, postgresql_url: str) -> None:
    seen: list[str] = []
    async with application(on_postgresql, postgresql_url, poll_seconds=60) as shop:

        @shop.flow.on("order.created", name="kitchen")
        async def ticket(event: OrderEvent) -> None:
            seen.append(event.order_id)

        listener = shop.flow.container.commit_listener()
        await eventually_async(lambda: listener.listening, that="it listens")
        began = monotonic()
        async with shop.transaction() as connection:
            await _create(shop, connection)
        await eventually_async(lambda: seen == ["O1"], deadline=180, that="the handler is called")

        assert monotonic() - began < 55


async def test_a_command_that_needs_the_payment_gateway_is_refused(shop: Application) -> None:
    await placed(shop.flow, "CARD", payment_method="card", card_token="tok_success")
    await placed(shop.flow, "CASH")

    async with shop.transaction() as connection, shop.flow.joining(connection) as orders:
        for refused in (
            lambda: orders.record_payment("CARD"),
            lambda: orders.cancel_order("CARD", "closed"),
            lambda: orders.transition_order_state("CARD", "cancelled", reason="closed"),
        ):
            with pytest.raises(GuardFailed, match="paid by card"):
                await refused()
        await orders.record_payment("CARD", paid=True)
        await orders.create_order(order_id="NEW", payment_method="card", card_token="tok_success", **ORDER)
        await orders.record_payment("CASH")
        await orders.cancel_order("CASH", "closed")

    assert (await shop.flow.get_order("CARD")).payment.status is PaymentStatus.PAID
    assert (await shop.flow.get_order("CASH")).state is OrderState.CANCELLED
    assert shop.flow.container.gateway().moved == {}


async def test_joined_commands_are_marked_in_the_audit_log(shop: Application, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "orderflow.audit")

    async with shop.transaction() as connection, shop.flow.joining(connection) as orders:
        await orders.create_order(order_id="O1", **ORDER)
    await placed(shop.flow, "O2")

    lines = [line for record in caplog.records if record.name == "orderflow.audit" for line in getattr(record, EACH)]
    assert [(line["door"], line["action"]) for line in lines] == [
        ("joined", "create_order"),
        ("process", "create_order"),
    ]


@pytest.mark.parametrize("driver", ["pysqlite", "psycopg"])
def test_a_synchronous_application_joins_with_sessions(driver: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("sqlite_url" if driver == "pysqlite" else "postgresql_url")
    engine = create_engine(f"{DRIVERS[driver]}:{url.partition(':')[2]}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS receipts (order_id TEXT PRIMARY KEY)"))
        connection.execute(text("DELETE FROM receipts"))

    with OrderFlow.open_sync(url) as flow:
        sessions = sessionmaker(engine)
        with sessions() as session, session.begin():
            session.execute(text("INSERT INTO receipts VALUES ('O1')"))
            with flow.correlated("request-7"), flow.joining(session) as orders:
                orders.create_order(order_id="O1", **ORDER)
        with pytest.raises(RuntimeError, match="block has ended"):
            orders.get_order("O1")

        scoped = scoped_session(sessions)
        with flow.joining(scoped) as orders:
            orders.create_order(order_id="O2", **ORDER)
        scoped.rollback()
        with flow.joining(scoped) as orders:
            orders.create_order(order_id="O3", **ORDER)
        scoped.commit()
        scoped.remove()

        with pytest.raises(InvalidInput, match="Connection or Session"), flow.joining(AsyncSession()):  # type: ignore[arg-type]
            pass
        assert {order.id for order in flow.list_orders().orders} == {"O1", "O3"}
        assert flow.timeline("O1")[0].record.correlation_id == "request-7"
        with Session(engine) as session:
            assert session.execute(text("SELECT order_id FROM receipts")).scalars().all() == ["O1"]
    engine.dispose()


async def test_asynchronous_sessions_join(postgresql_url: str, sqlite_url: str) -> None:
    for driver, url in (("asyncpg", postgresql_url), ("aiosqlite", sqlite_url)):
        engine = create_async_engine(f"{DRIVERS[driver]}:{url.partition(':')[2]}")
        async with OrderFlow.open(url) as flow, AsyncSession(engine) as session, session.begin():
            async with flow.joining(session) as orders:
                await orders.create_order(order_id="O1", **ORDER)
            await session.commit()
            assert (await flow.get_order("O1")).version == 1
        await engine.dispose()


DYING = """
import os, sys
from decimal import Decimal
from orderflow import Money, OrderFlow, OrderLine
from sqlalchemy import create_engine, text

url, engine_url, *moments = sys.argv[1:]
price = Money(Decimal("12.50"), "EUR")
lines = [OrderLine(food_id="F1", food_name="Pizza", price=price, quantity=2, discount=Money.zero("EUR"))]

def die(moment):
    with OrderFlow.open_sync(url) as flow, create_engine(engine_url).connect() as connection:
        connection.execute(text("INSERT INTO receipts VALUES (:order)"), {"order": moment})
        with flow.joining(connection) as orders:
            orders.create_order(order_id=moment, customer_id="C1", restaurant_id="R7", lines=lines, currency="EUR")
            if moment == "inside":
                os._exit(9)
        if moment == "after-the-block":
            os._exit(9)
        connection.commit()
        os._exit(9)

for moment in moments:
    child = os.fork()
    if child == 0:
        die(moment)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9, moment
"""


@pytest.fixture(params=["pysqlite", "psycopg"])
async def mortal(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Application, str]]:
    url = request.getfixturevalue("sqlite_url" if request.param == "pysqlite" else "postgresql_url")
    async with application(request.param, url) as it:
        assert isinstance(it.engine, Engine)
        yield it, it.engine.url.render_as_string(hide_password=False)


async def test_a_process_that_dies_leaves_both_or_neither(mortal: tuple[Application, str]) -> None:
    shop, engine_url = mortal
    moments = ["inside", "after-the-block", "after-the-commit"]

    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DYING, shop.url, engine_url, *moments],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert died.returncode == 0, died.stderr
    await eventually_async(lambda: _created(shop, "O2"), that="no dead process holds a lock")
    assert await shop.receipts() == {"after-the-commit"}
    assert await shop.orders() == {"after-the-commit", "O2"}
    assert await shop.consistent()
