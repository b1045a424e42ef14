"""A day through an installation whose every connection to the database goes through PgBouncer in transaction mode."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from orderflow.entrypoints.cli.lag import caught_up
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import CONSUMERS, Settings
from orderflow.entrypoints.simulation.clock import VirtualClock
from orderflow.entrypoints.simulation.generate_day import generate_day
from orderflow.entrypoints.simulation.run_day import InProcessOrderClient, RunDay, VirtualPace
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.kafka import KafkaBroker
from tests.support.pgbouncer import PgBouncer

ORDERS = 25


@pytest.fixture
def settings(pgbouncer: PgBouncer, migrated_url: str, kafka: KafkaBroker, topic_name: str) -> Settings:
    kafka.create_topic(topic_name)
    return Settings(
        database_url=pgbouncer.to(migrated_url),
        database_pooler="transaction",
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        topic=topic_name,
        payment_gateway="sandbox",
    )


@pytest.fixture
async def others(settings: Settings) -> AsyncIterator[None]:
    """Relay and consumers, on connections of their own, as in another process."""
    container, stop = container_for(settings), asyncio.Event()
    async with opened(container):
        running = asyncio.create_task(run_parts(container, relay=True, consumers=CONSUMERS, stop=stop))
        yield
        stop.set()
        container.news().notify()
        await running


@pytest.mark.usefixtures("others")
async def test_every_order_ends_and_every_event_is_accounted_for(settings: Settings) -> None:
    clock = VirtualClock()
    container: Any = container_for(settings, clock=clock)
    async with opened(container):
        lived = await RunDay(InProcessOrderClient(container.use_cases()), VirtualPace(clock))(generate_day(ORDERS, 5))
        behind = [each for each in await caught_up(container, 60) if each.events]
        report = await container.check()()

    assert len(lived.outcomes) == ORDERS
    assert behind == []
    assert report.clean, report
    assert [each.name for each in report.comparisons if each.skipped] == []
