"""No statement of a hot path scans a table that grows with the history. The plans are those that were executed."""

import json
import logging
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from attrs import evolve
from orderflow.adapters.notifications.log import LogChannel
from orderflow.adapters.notifications.templates import FileMessageTemplates
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.adapters.sql.database import POSTGRESQL
from orderflow.adapters.sql.types import metadata
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.event_log.records import BUCKETS, bucket_of
from orderflow.application.inventory.keep_stock import KeepStock
from orderflow.application.notifications.notify import Notify
from orderflow.application.orders.idempotency import IdempotencyKey
from orderflow.application.orders.payment_attempts import AttemptKind, GatewayResponse
from orderflow.application.orders.queries import OrderQuery, OrderSort
from orderflow.application.recovery.restore_guard import RestoreGuard
from orderflow.application.webhooks.delivery import DeliveryStatus, WebhookDelivery
from orderflow.application.webhooks.endpoint import WEBHOOKS
from orderflow.domain.annotations import Annotations
from orderflow.domain.lifecycle import OrderState
from orderflow.testing.consumers.shop import HandClock, Shop
from orderflow.testing.consumers.world import World
from orderflow.testing.orders import assigned, placed
from orderflow.testing.payment_attempts import _attempt, _record
from orderflow.testing.prices import PIZZA
from sqlalchemy import event, text

from tests.support.databases import migrated_database
from tests.support.statements import Statements
from tests.unit.domain.actors import AT

COPIES = 1_000
GROWING: Mapping[str, Mapping[str, str]] = {
    "orders": {
        "id": "id || '-' || n",
        "restaurant_id": "'R' || (n % 100)",
        "customer_id": "'C' || (n % 500)",
    },
    "order_terms": {"order_id": "order_id || '-' || n", "term": "term || (n % 200)"},
    "order_events": {"order_id": "order_id || '-' || n", "position": "position + 1000 * n"},
    "idempotency_keys": {"key": "key || '-' || n"},
    "notifications": {"order_id": "order_id || '-' || n", "status": "'sent'"},
    "order_parties": {"order_id": "order_id || '-' || n"},
    "order_progress": {"order_id": "order_id || '-' || n"},
    "reservations": {"order_id": "order_id || '-' || n"},
    "payment_attempts": {"order_id": "order_id || '-' || n", "key": "key || '-' || n", "entry": ""},
    "prices": {"restaurant_id": "restaurant_id || '-' || n"},
    "webhook_deliveries": {"order_id": "order_id || '-' || n"},
}
"""The tables that grow with the history, and the columns in which a copy of a row differs; entries are numbered."""


_PEOPLE = [
    Annotations.of(customer_name="Anna Brown", customer_phone="+49 30 123456"),
    Annotations.of(customer_name="Eve Smith", customer_phone="+49 30 123457"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def history_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Each database in turn, with a long history. Tests add a few rows to it."""
    if request.param == "sqlite":
        file = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path_factory.mktemp("plans"))
        url = f"sqlite:///{file}"
    else:
        url = migrated_database(request.getfixturevalue("postgres"))
    async with _world_at(url) as world:
        await _fill(world)
    return url


@pytest.fixture
async def world(history_url: str) -> AsyncIterator[World]:
    """A world with a long history."""
    async with _world_at(history_url) as world:
        yield world


@asynccontextmanager
async def _world_at(url: str) -> AsyncIterator[World]:
    storage = SqlStorage.at(url)
    await storage.open()
    yield World(storage, SqlConsumerStores(storage), HandClock())
    await storage.close()


async def _fill(world: World) -> None:
    storage = world.storage
    for number in range(10):
        await placed(storage, f"O{number}", idempotency=_key(f"k{number}"), annotations=_PEOPLE[number % 2])
        await assigned(storage, f"O{number}", "S1")
        attempt = _attempt(f"O{number}", AttemptKind.CAPTURE)
        await _record(storage, attempt.settled(GatewayResponse(True, "reference", ""), AT))
    for number in range(2):
        await placed(storage, f"waits-{number}")
    async with world.effects.store(WEBHOOKS) as work:
        await work.webhooks.record([_delivery(number) for number in range(10)])
    settled = [_delivery(number).delivered(AT + timedelta(minutes=number), 200) for number in range(10)]
    await world.effects.webhooks.settle(settled, [], AT)
    await storage.prices.change("R1", [evolve(PIZZA, item_id=f"F{number}") for number in range(10)], at=AT)
    await _handle_all(world)
    await _multiply(storage)


async def _read_log(world: World) -> None:
    log, heads = world.storage.log, await world.storage.log.heads()
    before = {bucket: head - 1 for bucket, head in heads.items()}
    records = await log.read(before, limit=100)
    await log.read(dict.fromkeys(range(BUCKETS), 0), limit=10_000, heads=heads, max_bytes=1_000_000)
    await log.bodies([record.address for record in records])
    await world.storage.cursors.positions("relay")
    await world.storage.cursors.put("relay", heads)


async def _read_orders(world: World) -> None:
    views = world.storage.views
    await views.get("O1-77")
    assert len(await world.storage.prices.find({("R1-77", "F1"), ("R1-78", "F2"), ("R9", "F1")})) == 2
    page = await views.list(OrderQuery(limit=20))
    await views.list(OrderQuery(limit=20, cursor=page.next_cursor))
    page = await views.list(OrderQuery(customer_id="C1", limit=20))
    await views.list(OrderQuery(customer_id="C1", limit=20, cursor=page.next_cursor))
    await views.list(OrderQuery(restaurant_id="R1", limit=20))
    await views.list(OrderQuery(shipper_id="S1", limit=20))
    await views.list(OrderQuery(state=OrderState.PREPARING, limit=20))
    await views.list(OrderQuery(available=True, limit=20))
    await world.storage.log.history("O1-77")
    await world.storage.log.times("O1-77")


async def _find_orders(world: World) -> None:
    """Find orders by texts that few have, and by some that many have, as far as this history has many."""
    views = world.storage.views
    for few in (5_000, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("orderflow.adapters.sql.order_search.FEW", few)
            patch.setattr("orderflow.adapters.sql.order_search.MOST_COUNTED", few)
            for q in ("O1-77", "Anna7", "anna77 brown77", "030 12345677", "nobody"):
                page = await views.list(OrderQuery(q=q, limit=20))
                if page.next_cursor is not None:
                    await views.list(OrderQuery(q=q, limit=20, cursor=page.next_cursor))
                await views.list(OrderQuery(q=q, limit=20, restaurant_id="R1", sort=OrderSort.OLDEST))
                await views.count(OrderQuery(q=q))
    await views.list(OrderQuery(state=(OrderState.DELIVERED, OrderState.CANCELLED), limit=20))
    await views.list(OrderQuery(sort=OrderSort.OLDEST, limit=20))


async def _read_deliveries(world: World) -> None:
    for status in (None, *DeliveryStatus):
        await world.effects.webhooks.list("e1", status=status, limit=20)
    await world.effects.webhooks.list("e1", order_id="O1-77", limit=20)


async def _write_orders(world: World) -> None:
    storage = world.storage
    await placed(storage, "new", idempotency=_key("new"))
    await assigned(storage, "new", "S2")
    await assigned(storage, "O3-77", "S2")
    await storage.answers.find("customer:C1", "k1-77")
    await storage.answers.delete_before(await storage.now() - timedelta(days=1))
    await storage.answers.delete_before(await storage.now())
    await storage.attempts.of_order("O1-77")
    await storage.attempts.due(await storage.now(), limit=100)


async def _consume(world: World) -> None:
    bucket = bucket_of("newest")
    await placed(world.storage, "newest")
    await assigned(world.storage, "newest", "S2")
    head = (await world.storage.log.heads())[bucket]
    for consumer in _consumers(world):
        await world.storage.cursors.put(consumer.name, {bucket: head - 3})
    await _handle_all(world, {bucket: head - 3})
    for consumer in _consumers(world):
        await consumer.settle()


@pytest.mark.parametrize("work", [_read_log, _read_orders, _find_orders, _read_deliveries, _write_orders, _consume])
async def test_no_hot_statement_scans_a_table_that_grows(world: World, work: Callable[[World], Any]) -> None:
    async with _plans(world.storage) as scans:
        await work(world)

    assert scans() == []


async def test_a_scan_is_found(world: World) -> None:
    async with _plans(world.storage) as scans:
        await world.storage.database.rows(text("SELECT count(DISTINCT updated_at) FROM orders"))

    assert [table for table, _ in scans()] == ["orders"]


@asynccontextmanager
async def _plans(storage: SqlStorage) -> AsyncIterator[Callable[[], Sequence[tuple[str, str]]]]:
    """Collect the growing tables that a statement in the block reads as a whole, each with the statement."""
    if storage.database.backend == POSTGRESQL:
        await storage.database.engine.dispose()
        with _postgresql_plans(storage) as plans:
            yield lambda: [(table, plan["Query Text"]) for plan in plans for table in _scanned(plan["Plan"])]
    else:
        with Statements(storage.database) as statements:
            yield lambda: _sqlite_scans(storage, statements)


@contextmanager
def _postgresql_plans(storage: SqlStorage) -> Iterator[list[Any]]:
    """Have PostgreSQL send the plan of each statement that it executes on a new connection."""
    plans: list[Any] = []

    def received(_: Any, message: Any) -> None:
        if message.message.startswith("duration:"):
            plans.append(json.loads(message.message.partition("plan:\n")[2]))

    async def explain(connection: Any) -> None:
        connection.add_log_listener(received)
        await connection.execute(
            "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_format = json;"
            "SET auto_explain.log_level = notice; SET auto_explain.log_nested_statements = on"
        )

    engine = storage.database.engine.sync_engine

    def connected(driver: Any, _: Any) -> None:
        driver.run_async(explain)

    event.listen(engine, "connect", connected)
    yield plans
    event.remove(engine, "connect", connected)


def _shape(plan: Mapping[str, Any]) -> Iterator[str]:
    yield " ".join((plan["Node Type"], plan.get("Index Name", ""))).strip()
    for part in plan.get("Plans", ()):
        yield from _shape(part)


def _scanned(plan: Mapping[str, Any]) -> Iterator[str]:
    if plan["Node Type"] == "Seq Scan" and plan["Relation Name"] in GROWING:
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from _scanned(part)


def _sqlite_scans(storage: SqlStorage, statements: Statements) -> Sequence[tuple[str, str]]:
    scans = (
        (re.fullmatch(r"SCAN (\w+)", step), of) for of, steps in _sqlite_steps(storage, statements) for step in steps
    )
    return [(scan[1], statement) for scan, statement in scans if scan and scan[1] in GROWING]


def _sqlite_steps(storage: SqlStorage, statements: Statements) -> Iterator[tuple[str, list[str]]]:
    """Yield each statement with the steps of its plan."""
    assert storage.database._reader is not None
    with storage.database._reader.connect() as connection:
        driver: Any = connection.connection.dbapi_connection
        for statement, values in zip(statements.texts, statements.values, strict=True):
            given = values[0] if isinstance(values, list) else values
            yield statement, [step for *_, step in driver.execute(f"EXPLAIN QUERY PLAN {statement}", given)]


def _consumers(world: World) -> Sequence[Any]:
    notify = Notify(
        [LogChannel(logging.getLogger("test"))], FileMessageTemplates(), world.effects.notifications, world.clock
    )
    return Analyse(), notify, KeepStock(world.effects.shortages, Shop().cancel, world.clock)


def _delivery(number: int) -> WebhookDelivery:
    return WebhookDelivery(
        order_id=f"O{number}",
        endpoint_id="e1",
        sequence=1,
        bucket=1,
        position=number,
        type="order.created",
        event_id="",
        recorded_at=AT,
        due_at=AT,
    )


async def _handle_all(world: World, after: Mapping[int, int] | None = None) -> None:
    """All consumers handle the events of the log after these positions."""
    records = await world.storage.log.read(after or dict.fromkeys(range(BUCKETS), 0), limit=1_000)
    for consumer in _consumers(world):
        guard = RestoreGuard(world.storage.log, world.storage.epochs)
        handled = await world.handling(consumer, restore_guard=guard)(records)
        assert handled.events == len(records)


async def _multiply(storage: SqlStorage) -> None:
    """Copy each row of the growing tables many times, and have the statistics know."""
    async with storage.database.writing() as connection:
        for name, changed in GROWING.items():
            columns = [column.name for column in metadata.tables[name].c if changed.get(column.name) != ""]
            values = ", ".join(changed.get(column, f"{name}.{column}") for column in columns)
            await connection.execute(
                text(
                    f"INSERT INTO {name} ({', '.join(columns)}) WITH RECURSIVE copies(n) AS "
                    f"(SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {COPIES}) "
                    f"SELECT {values} FROM {name} CROSS JOIN copies"
                )
            )
        heads = "SELECT max(position) FROM order_events WHERE order_events.bucket = log_heads.bucket"
        await connection.execute(text(f"UPDATE log_heads SET position = COALESCE(({heads}), 0)"))
    if storage.database.backend == POSTGRESQL:  # as autovacuum does, so that an index alone may answer
        async with storage.database.engine.connect() as plain:
            await (await plain.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE"))
    else:
        async with storage.database.writing() as connection:
            await connection.execute(text("ANALYZE"))


def _key(key: str) -> IdempotencyKey:
    return IdempotencyKey(caller="customer:C1", key=key, fingerprint="print", render=lambda order: order.id.encode())
