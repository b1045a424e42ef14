"""A migration only adds, so that the version before it goes on; and each version knows which schemas it can serve."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from orderflow.adapters.sql import current, newest, schema
from orderflow.adapters.sql.database import Database
from orderflow.domain.errors import NotConfigured
from sqlalchemy import create_engine, text

from tests.contracts.orders import placed
from tests.integration.sql.conftest import Connect
from tests.support.schemas import broken, schema_of, taking_away

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
    assert schema.known() == sorted(schema.known())
    assert {len(version) for version in schema.known()} == {4}


THERE = "CREATE TABLE food (id TEXT PRIMARY KEY, name TEXT, price INTEGER DEFAULT 1, UNIQUE (name))"


@pytest.mark.parametrize(
    ("change", "told"),
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
def test_what_would_stop_the_version_before_is_found(change: str, told: str | None) -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text(THERE))
        before = schema_of(connection)
        for statement in change.split(";") if "TRIGGER" not in change else [change]:
            connection.execute(text(statement))

        found = list(broken(before, schema_of(connection)))

    assert [each[: len(told or "")] for each in found][:1] == ([told] if told else [])


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


async def test_a_later_schema_of_this_generation_is_served_and_said_to_be_later(
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
    assert "a later orderflow's" in caplog.text


async def test_a_schema_of_a_later_generation_is_neither_used_nor_touched(url: str, connect: Connect) -> None:
    async with stamped(connect, url, "9001"):
        with pytest.raises(NotConfigured, match="is at 9001, newest known is"):
            await connect(url).open()
        with pytest.raises(NotConfigured, match="install the newer orderflow"):
            await schema.upgrade(url)
