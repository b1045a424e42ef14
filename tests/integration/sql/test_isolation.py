"""Orders, relay and consumers work with every default isolation of the server, also behind a pooler."""

import asyncio
from collections import Counter
from urllib.parse import urlsplit

import pytest
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.application.event_log.records import RELAY, bucket_of
from orderflow.application.orders.payment_attempts import AttemptKind, PaymentAttempt
from orderflow.application.orders.retry import retry_on_conflict
from orderflow.testing.orders import assigned, in_bucket, placed, unit_of_work
from sqlalchemy import text

from tests.integration.sql.conftest import Connect
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PostgresServer
from tests.unit.domain.actors import AT, eur

ORDERS = 24


@pytest.fixture(params=["serializable", "repeatable read"])
def strict_url(request: pytest.FixtureRequest, postgres: PostgresServer, migrated_url: str) -> str:
    """A database whose transactions are isolated so by default."""
    name = urlsplit(migrated_url).path.removeprefix("/")
    postgres.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{request.param}'")
    return migrated_url


async def test_every_transaction_is_read_committed(strict_url: str, connect: Connect) -> None:
    storage = connect(strict_url)

    async with storage.database.writing() as connection:
        in_transaction = await connection.scalar(text("SHOW transaction_isolation"))
    [[alone]] = await storage.database.rows(text("SHOW transaction_isolation"))
    [[fetched]] = await storage.database.fetch("SHOW transaction_isolation")

    assert {in_transaction, alone, fetched} == {"read committed"}


async def test_behind_a_pooler_transactions_of_several_statements_are_read_committed(
    pgbouncer: PgBouncer, strict_url: str, connect: Connect
) -> None:
    storage = connect(pgbouncer.to(strict_url), pooled=True)

    async with storage.database.writing() as connection:
        assert await connection.scalar(text("SHOW transaction_isolation")) == "read committed"


async def test_writers_of_one_bucket_and_its_readers_all_succeed(strict_url: str, connect: Connect) -> None:
    storage = connect(strict_url)
    await storage.open()

    await _all_at_once(storage)

    await _nothing_is_missing(storage)


async def test_behind_a_pooler_nothing_is_lost_and_readers_succeed(
    pgbouncer: PgBouncer, strict_url: str, connect: Connect
) -> None:
    storage = connect(pgbouncer.to(strict_url), pooled=True)
    await storage.open()

    await _all_at_once(storage)

    await _nothing_is_missing(storage)


async def _all_at_once(storage: SqlStorage) -> None:
    """Orders of one bucket are placed and changed while others read the log and move cursors."""
    ids = in_bucket(7, ORDERS)
    written = asyncio.Event()

    async def write(order_id: str) -> None:
        await retry_on_conflict(lambda: placed(storage, order_id))
        await assigned(storage, order_id, "S1")

    async def relay() -> None:
        while not written.is_set():
            heads = await storage.log.heads()
            await storage.log.read(dict.fromkeys(heads, 0), limit=100)
            await storage.cursors.put(RELAY, heads)

    async def consumer() -> None:
        while not written.is_set():
            async with SqlConsumerStores(storage).store("analytics") as work:
                at = await work.hold([7])
                await work.advance({7: (at[7], at[7] + 1)})

    readers = [asyncio.create_task(run()) for run in (relay, relay, consumer, consumer)]
    await asyncio.gather(*map(write, ids))
    written.set()
    await asyncio.gather(*readers)


async def _nothing_is_missing(storage: SqlStorage) -> None:
    records = await storage.log.read({7: 0}, limit=10_000)
    assert [record.position for record in records] == [*range(1, len(records) + 1)]
    assert bucket_of(records[0].order_id) == 7
    assert set(Counter(record.order_id for record in records)) == set(in_bucket(7, ORDERS))


async def test_a_payment_attempt_without_an_order_is_stored_although_it_conflicts_at_first(
    migrated_url: str, connect: Connect
) -> None:
    storage = connect(migrated_url)
    await storage.open()
    await placed(storage, "O1")
    async with storage.database.writing() as connection:
        for statement in _CONFLICTS_TWICE:
            await connection.execute(text(statement))
    attempt = PaymentAttempt(
        key="a1",
        order_id="O1",
        number=1,
        kind=AttemptKind.CAPTURE,
        amount=eur("9.50"),
        requested_at=AT,
    )

    async with unit_of_work(storage)() as work:
        work.payments.record(attempt)

    assert [it.key for it in await storage.attempts.of_order("O1")] == [attempt.key]


_CONFLICTS_TWICE = (
    "CREATE SEQUENCE tries",
    "CREATE FUNCTION conflicts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "IF nextval('tries') <= 2 THEN RAISE SQLSTATE '40001'; END IF; RETURN NEW; END $$",
    "CREATE TRIGGER conflicts BEFORE INSERT ON payment_attempts FOR EACH ROW EXECUTE FUNCTION conflicts()",
)
