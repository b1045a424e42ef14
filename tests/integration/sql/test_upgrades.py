"""Migrations only add within a generation; a new generation keeps all data; versions refuse other schemas."""

import logging
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from orderflow.adapters.sql import SqlStorage, current, newest, schema
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.adapters.sql.database import Database
from orderflow.application.auth import Grant
from orderflow.application.consuming.dead_letter import Outcome
from orderflow.application.event_log.records import Origin
from orderflow.application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from orderflow.application.notifications.notification import NotificationStatus
from orderflow.application.operator_note import OperatorNote
from orderflow.application.orders.idempotency import StoredResponse
from orderflow.application.orders.payment_attempts import AttemptStatus
from orderflow.application.recovery.epochs import Epoch
from orderflow.application.replay.rebuilding import SwapResult
from orderflow.domain.actor import Actor, Role
from orderflow.domain.errors import NotConfigured
from orderflow.domain.lifecycle import OrderState
from orderflow.testing.orders import placed
from sqlalchemy import create_engine, text

from tests.integration.sql import schema_0010
from tests.integration.sql.conftest import Connect
from tests.support.schemas import broken, schema_of, taking_away
from tests.unit.domain.actors import AT

MIGRATIONS = sorted((Path(schema.__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))


def generation(version: str) -> str:
    return version[0]


async def test_a_version_works_on_each_later_schema_of_its_generation(new_url: str) -> None:
    seen = {}
    for version in schema.known():
        await schema.upgrade(new_url, to=version)
        database = Database.at(new_url, pool_size=1)
        async with database.reading() as connection:
            seen[version] = await connection.run_sync(schema_of)
        await database.close()

    steps = list(zip(seen, list(seen)[1:], strict=False))

    assert len(steps) == len(MIGRATIONS) - 1
    found = {
        f"{old} -> {new}": list(broken(seen[old], seen[new]))
        for old, new in steps
        if generation(old) == generation(new)
    }
    assert found == {step: [] for step in found}


@pytest.mark.parametrize(
    "migration",
    [path for path in MIGRATIONS if path.stem[1:4] != "001" or path.stem[0] == "0"],
    ids=lambda path: path.stem,
)
def test_a_migration_adds_and_leaves_what_is_there_alone(migration: Path) -> None:
    assert list(taking_away(migration)) == []


def test_the_versions_of_one_generation_are_in_order() -> None:
    assert list(schema.known()) == sorted(schema.known())
    assert {len(version) for version in schema.known()} == {4}


THERE = "CREATE TABLE food (id TEXT PRIMARY KEY, name TEXT, price INTEGER DEFAULT 1, UNIQUE (name))"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("ALTER TABLE food DROP COLUMN price", "food.price was"),
        ("ALTER TABLE food RENAME COLUMN price TO cost", "food.price was"),
        ("ALTER TABLE food ADD COLUMN spice TEXT NOT NULL DEFAULT 'mild'", None),
        ("ALTER TABLE food ADD COLUMN spice TEXT", None),
        ("CREATE TABLE drinks (id TEXT PRIMARY KEY)", None),
        ("CREATE UNIQUE INDEX cheapest ON food (price)", "food: unique ['price'] is new"),
        ("CREATE INDEX by_price ON food (price)", "food: by_price stops its writers while it is built"),
        ("CREATE TRIGGER no BEFORE INSERT ON food BEGIN SELECT RAISE(ABORT, 'no'); END", "food: trigger"),
        ("ALTER TABLE food RENAME TO meals", "food is gone"),
        (
            "DROP TABLE food; CREATE TABLE food (id TEXT PRIMARY KEY, name TEXT, price INTEGER DEFAULT 1)",
            "food: unique ['name'] is gone",
        ),
        (
            "DROP TABLE food;"
            "CREATE TABLE food "
            "(id TEXT PRIMARY KEY, name TEXT, price INTEGER DEFAULT 1, hot BIT NOT NULL, UNIQUE (name))",
            "food.hot is demanded of those who do not know it",
        ),
    ],
)
def test_changes_that_would_stop_the_previous_version_are_found(change: str, problem: str | None) -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text(THERE))
        before = schema_of(connection)
        for statement in change.split(";") if "TRIGGER" not in change else [change]:
            connection.execute(text(statement))

        found = list(broken(before, schema_of(connection)))

    assert [each[: len(problem or "")] for each in found][:1] == ([problem] if problem else [])


def test_a_migration_that_rewrites_or_drops_is_found(tmp_path: Path) -> None:
    migration = tmp_path / "0009_worse.py"
    migration.write_text(
        "from alembic import op\n\n\n"
        "def upgrade():\n    op.drop_column('orders', 'state')\n    op.execute('UPDATE orders SET state = 1')\n"
        "    op.execute('ALTER TABLE orders ALTER COLUMN state SET DEFAULT 1')\n\n\n"
        "def downgrade():\n    op.drop_table('orders')\n"
    )

    found = list(taking_away(migration))

    assert found == ["0009_worse.py:5: op.drop_column", "0009_worse.py:6: UPDATE orders SET state = 1"]


@asynccontextmanager
async def stamped(connect: Connect, url: str, version: str) -> AsyncIterator[None]:
    """The database says inside the block that it is at ``version``."""
    storage = connect(url)

    async def stamp(version: str) -> None:
        async with storage.database.writing() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})

    await stamp(version)
    try:
        yield
    finally:
        await stamp(newest())


async def test_a_later_schema_of_this_generation_is_used_with_a_warning(
    url: str, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    later = f"{newest()[0]}999"
    async with stamped(connect, url, later):
        storage = connect(url)
        await storage.open()
        await placed(storage)

        upgraded = await schema.upgrade(url)

        assert upgraded == await current(url) == later
    assert "a later release" in caplog.text


async def test_a_schema_of_a_later_generation_is_neither_used_nor_changed(url: str, connect: Connect) -> None:
    async with stamped(connect, url, "9001"):
        with pytest.raises(NotConfigured, match="is at 9001, newest known is"):
            await connect(url).open()
        with pytest.raises(NotConfigured, match="install the newer orderflow"):
            await schema.upgrade(url)


async def test_the_test_fills_every_table_of_the_previous_generation(new_url: str) -> None:
    filled = await schema_0010.filled(new_url)

    database = Database.at(new_url, pool_size=1)
    async with database.reading() as connection:
        tables = set(await connection.run_sync(schema_of)) - {"alembic_version"}
    await database.close()
    assert set(filled.rows) == tables - {"log_heads"}
    assert {table for table, rows in filled.rows.items() if len(rows) < 2} == {"publishing_share"}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def original(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, schema_0010.FilledDatabase]:
    """A filled database of version 0010 that was migrated to the newest version, and what it was filled with."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('upgraded') / 'original.db'}"
    else:
        url = request.getfixturevalue("postgres").create_database()
    filled = await schema_0010.filled(url)
    await schema.upgrade(url)
    return url, filled


@pytest.fixture
async def upgraded(
    original: tuple[str, schema_0010.FilledDatabase], request: pytest.FixtureRequest, tmp_path: Path, connect: Connect
) -> tuple[SqlStorage, schema_0010.FilledDatabase]:
    """A copy of the original, and what that was filled with."""
    url, filled = original
    if url.startswith("sqlite"):
        copy = f"sqlite:///{shutil.copy(url.removeprefix('sqlite:///'), tmp_path)}"
    else:
        copy = request.getfixturevalue("postgres").create_database(copied_from=url)
    storage = connect(copy)
    await storage.open()
    return storage, filled


async def test_a_new_generation_keeps_orders_and_their_log(
    upgraded: tuple[SqlStorage, schema_0010.FilledDatabase],
) -> None:
    storage, filled = upgraded

    orders = await storage.audit.many(["O1", "O2"])
    histories = [record for order_id in orders for record in await storage.log.history(order_id)]

    assert orders == filled.orders
    assert sorted(histories) == sorted(filled.records)
    assert {times.requested_at for times in await storage.log.times("O1")} == {AT}
    assert await storage.cursors.positions("relay") == {7: 3}
    await placed(storage, "O3")
    assert [record.sequence for record in await storage.log.history("O3")] == [1]


async def test_a_new_generation_keeps_responses_payments_and_tokens(
    upgraded: tuple[SqlStorage, schema_0010.FilledDatabase],
) -> None:
    storage, _ = upgraded

    response = await storage.answers.find("customer:C1", "k1")
    refunds = await storage.attempts.due(AT + timedelta(days=9), limit=100)
    attempts = await storage.attempts.of_order("O1")

    assert response == StoredResponse(fingerprint="f", body=b'{"id":"O1"}', order_id="O1")
    assert [(it.key, it.status) for it in refunds] == [("a4", AttemptStatus.REQUESTED), ("a2", AttemptStatus.REQUESTED)]
    assert [it.key for it in attempts] == ["a4", "a1", "a2", "a3"]
    assert await storage.tokens.find("d1") == Grant(Actor(Role.CUSTOMER, "C1"), label="ann's")


async def test_a_new_generation_keeps_dead_letters(upgraded: tuple[SqlStorage, schema_0010.FilledDatabase]) -> None:
    dead_letters = SqlConsumerStores(upgraded[0]).dead_letters

    blocking = await dead_letters.blocking()
    actions = await dead_letters.history(limit=9)
    (copied,) = await dead_letters.claim_copies(now=AT, until=AT + timedelta(1), limit=9)
    unrecognized = await dead_letters.unrecognized_records()

    assert [(it.consumer, it.error, it.attempts) for it in blocking] == [
        ("analytics", "KeyError", 3),
        ("inventory", "ValueError", 3),
    ]
    assert blocking[0].origin == Origin("orders", 1, 9)
    assert await dead_letters.waiting("analytics", ["O1"]) == {"O1": 2}
    assert [(it.outcome, it.note.by, it.note.reason) for it in actions] == [
        (Outcome.DROPPED, "ann", "fixed"),
        (Outcome.FAILED, "ann", "fixed"),
    ]
    assert await dead_letters.dropped("analytics") == {"O1": {5}}
    assert copied.consumer == "analytics"
    assert [(it.record.offset, it.record.headers, it.record.value) for it in unrecognized] == [
        (4, (("h", b"\1"),), b"\xff"),
        (5, (("h", b"\1"),), b"\xff"),
    ]


async def test_a_new_generation_keeps_what_consumers_stored(
    upgraded: tuple[SqlStorage, schema_0010.FilledDatabase],
) -> None:
    stores = SqlConsumerStores(upgraded[0])

    progress = await stores.analytics.of_orders(["O1", "O2"])
    notifications = await stores.notifications.of_orders(["O1"])
    reservations = await stores.shortages.of_orders(["O1", "O2"])
    async with stores.analytics_shadow.store("r1") as transaction:
        swapped = await transaction.swap()

    assert {it.spent[OrderState.WAITING_FOR_SHIPPER] for it in progress.values()} == {timedelta(minutes=5)}
    assert [it.status for it in notifications] == [NotificationStatus.SENT, NotificationStatus.PENDING]
    assert [it.order_id for it in await stores.shortages.unsettled(9)] == ["O2"]
    assert reservations["O1"].taken == {"F1": 2}
    assert swapped == SwapResult(orders=2, changed=0, removed=0)
    assert [it.quantity for it in await stores.stock.list()] == [3, 3]
    assert [it.party for it in await stores.contacts.list()] == ["customer:C1", "restaurant:R1"]
    async with stores.store("notifications") as work:
        assert set(await work.notifications.parties(["O1", "O2"])) == {"O1", "O2"}


async def test_a_new_generation_keeps_rollout_epochs_and_processes(
    upgraded: tuple[SqlStorage, schema_0010.FilledDatabase],
) -> None:
    storage, _ = upgraded

    rollout = await storage.rollout.current_rollout()
    epochs = await storage.epochs.all()
    processes = await storage.processes.all()

    assert (rollout.percent, set(rollout.paused)) == (10, {"analytics", "inventory"})
    assert rollout.paused["analytics"] == OperatorNote(by="ann", reason="slow", at=AT)
    assert [(it.epoch, it.note.by, it.note.reason, it.kept) for it in epochs.begun] == [
        (2, "bob", "restored", {7: 70, 255: 0}),
        (5, "bob", "restored again", {7: 80}),
    ]
    assert [(it.process.id, it.clock_ahead) for it in processes] == [("p1", 2.0), ("p2", 2.0)]


async def test_the_old_audits_become_one_maintenance_log_in_order(
    upgraded: tuple[SqlStorage, schema_0010.FilledDatabase],
) -> None:
    storage, _ = upgraded
    note = OperatorNote(by="bob", reason="later", at=AT)
    await storage.epochs.begin(Epoch(epoch=6, note=note, kept={}))

    entries = [*await storage.maintenance_log.history(limit=99)][::-1]

    assert [(it.kind, it.note.at - AT, it.consumer, str(it)) for it in entries[:-1]] == [
        ("share", timedelta(minutes=1), None, "publishing 100 % -> 50 %"),
        ("replay", timedelta(minutes=2), "analytics", "from 0 by the log: 9 events"),
        ("pause", timedelta(minutes=3), "analytics", "analytics paused"),
        ("pause", timedelta(minutes=3), "inventory", "inventory paused"),
        ("epoch", timedelta(minutes=4), None, "epoch 1 -> 2"),
        ("epoch", timedelta(minutes=5), None, "epoch 2 -> 5"),
        ("swap", timedelta(minutes=6), "analytics", "3 courses, 1 of them changed"),
        ("share", timedelta(minutes=7), None, "publishing 50 % -> 10 %"),
    ]
    assert entries[0].note == OperatorNote(by="ann", reason="50 % of it's slow", at=AT + timedelta(minutes=1))
    assert entries[-1] == MaintenanceEntry(kind=MaintenanceKind.EPOCH, note=note, before=5, after=6)


async def test_no_name_of_the_previous_generation_is_left(
    upgraded: tuple[SqlStorage, schema_0010.FilledDatabase],
) -> None:
    old = "course|beside|foreign|letters_to|letter_changes|repairs|why|asked|answer|own_time"
    catalog = {
        "sqlite": "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
        "postgresql": (
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION ALL "
            "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace UNION ALL "
            "SELECT proargnames[1] FROM pg_proc WHERE proname = 'orderflow_refuse'"
        ),
    }

    async with upgraded[0].database.reading() as connection:
        names = set(await connection.scalars(text(catalog[connection.dialect.name])))
        columns = {column for table in (await connection.run_sync(schema_of)).values() for column in table.columns}

    assert "order_progress_created_minute" in names
    assert [name for name in names | columns if re.search(old, name)] == []
