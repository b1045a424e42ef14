"""Statements are counted on each database, also those that bypass SQLAlchemy."""

from collections.abc import AsyncIterator

import pytest
from orderflow import Settings
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.telemetry import Instruments
from orderflow.adapters.telemetry.metrics import catalogue
from orderflow.entrypoints.wiring import storage_and_consumers as building
from orderflow.testing.orders import placed

from tests.support.metrics import Samples


@pytest.fixture
def instruments() -> Instruments:
    return Instruments()


@pytest.fixture
async def storage(url: str, instruments: Instruments) -> AsyncIterator[SqlStorage]:
    """One that counts, with one order of one event in it."""
    storage = building.storage(Settings(database_url=url), lambda: None, instruments)
    assert isinstance(storage, SqlStorage)
    await storage.open()
    await placed(storage, "o1")
    yield storage
    await storage.close()


def read(instruments: Instruments) -> float:
    return Samples.counted(instruments).total(catalogue.STATEMENT_SECONDS, "_count", operation="select")


async def test_queries_of_orders_and_log_are_counted(storage: SqlStorage, instruments: Instruments) -> None:
    before = read(instruments)

    await storage.views.get("o1")
    after_order = read(instruments)
    [record] = await storage.log.read(dict.fromkeys(range(256), 0), limit=10)
    after_log = read(instruments)
    await storage.log.bodies([record.address])
    after_bodies = read(instruments)

    log = after_log - after_order  # its heads come before it
    assert (after_order - before, log, after_bodies - after_log) == (1, 2, 1)


async def test_statements_that_the_database_refuses_are_counted_as_failed(
    postgresql_url: str, instruments: Instruments
) -> None:
    storage = building.storage(Settings(database_url=postgresql_url), lambda: None, instruments)
    assert isinstance(storage, SqlStorage)
    before = read(instruments)

    with pytest.raises(Exception, match="does not exist"):
        await storage.database.fetch("SELECT nothing")

    await storage.close()
    assert Samples.counted(instruments).total(catalogue.STATEMENT_ERRORS) == 1
    assert read(instruments) == before
