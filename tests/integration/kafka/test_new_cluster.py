"""Relay and consumers are pointed at a second, empty Kafka: nothing is refused or lost, and history comes back."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from orderflow.entrypoints.settings import Settings
from orderflow.testing.orders import assigned, placed

from tests.support.databases import migrated
from tests.support.here import Here, caught_up
from tests.support.kafka import KafkaBroker, LocalKafka
from tests.support.servers import obtain, started

from .conftest import on_topic

BEFORE = [f"before-{number}" for number in range(8)]
SINCE = [f"since-{number}" for number in range(8)]


@pytest.fixture
def here(kafka: KafkaBroker, topic_name: str, tmp_path: Path) -> Here:
    kafka.create_topic(topic_name)
    url = migrated(f"sqlite:///{tmp_path / 'orders.db'}")
    return Here(Settings(database_url=url, kafka_bootstrap_servers=kafka.bootstrap_servers, topic=topic_name))


@pytest.fixture
def empty() -> Iterator[KafkaBroker]:
    """An unused Kafka, in addition to the session's."""
    with started(obtain(LocalKafka)) as broker:
        yield broker


async def test_on_a_new_and_empty_cluster_all_goes_on_and_history_comes_back_when_it_is_asked_for(
    here: Here, empty: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async with here.running() as container:
        for order_id in BEFORE:
            await placed(container.storage(), order_id)
        await caught_up(container)
    there = Here(evolve(here.settings, kafka_bootstrap_servers=empty.bootstrap_servers))
    orderflow = there.command_line
    await asyncio.to_thread(orderflow.json, "topics", "create")

    with caplog.at_level(logging.WARNING):
        async with there.running() as container:
            for order_id in SINCE:
                await placed(container.storage(), order_id)
            await assigned(container.storage(), BEFORE[0], "S1")
            await caught_up(container)
            await asyncio.to_thread(orderflow.json, "log", "republish", "--by", "ann", "--reason", "new cluster")
            await asyncio.to_thread(orderflow.json, "lag", "--wait", "60")
            checked = await asyncio.to_thread(orderflow.json, "check", "--wait", "60")
            events = sum((await container.storage().log.heads()).values())

    stands = on_topic(there.kafka)
    again = [seen for seen in stands if seen.headers["epoch"] == "2"]
    assert {seen.key for seen in stands if seen.headers["epoch"] == "1"} == {*SINCE, BEFORE[0]}
    assert "Kafka has no cursors of what was published" in caplog.text
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
    assert checked["clean"]
    assert len({seen.address for seen in again}) == len(again) == events
