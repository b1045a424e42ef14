"""A replica that lacks the last records is elected leader: the doctor and the check report the lost ones."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from orderflow.entrypoints.settings import Settings
from orderflow.testing.orders import in_bucket, placed

from tests.support.databases import migrated
from tests.support.here import Here, caught_up
from tests.support.kafka import LocalKafka
from tests.support.servers import obtain, started
from tests.support.waiting import eventually

TOPIC = "order-events"
CONFIG = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true", "retention.ms": "-1"}


@pytest.fixture
def cluster() -> Iterator[LocalKafka]:
    with started(obtain(lambda: LocalKafka(nodes=3))) as cluster:
        yield cluster


async def test_records_that_an_unclean_election_lost_are_found_by_the_doctor_and_then_by_the_check(
    cluster: LocalKafka, tmp_path: Path
) -> None:
    await asyncio.to_thread(make_topic, cluster)
    url = migrated(f"sqlite:///{tmp_path / 'orders.db'}")
    here = Here(Settings(database_url=url, kafka_bootstrap_servers=cluster.bootstrap_servers, topic=TOPIC))
    kept, lost, later = (in_bucket(1, 15)[first : first + 5] for first in (0, 5, 10))
    first, second, _ = cluster.members
    await publish(here, kept)
    second.process.kill()
    await asyncio.to_thread(eventually, lambda: in_sync(cluster) == {1}, that="the first broker has the only replica")
    await publish(here, lost)

    first.process.kill()
    second.process.start()
    await asyncio.to_thread(eventually, lambda: leaders(cluster) == {2}, that="the second broker leads")
    first.process.start()
    await asyncio.to_thread(eventually, lambda: in_sync(cluster) == {1, 2}, that="the first broker follows")
    doctor = await asyncio.to_thread(here.command_line, "--json", "doctor")
    await publish(here, later)
    checked = await asyncio.to_thread(here.command_line, "--json", "check")

    found = {finding["code"]: finding["found"] for finding in doctor.data["findings"]}
    assert "of partition 1" in found["topic_shortened"], found
    assert checked.code == 1
    assert "5 events from position 6 on are missing" in checked.out


async def publish(here: Here, orders: list[str]) -> None:
    """Place the orders, and return when relay and consumers have done their part."""
    async with here.running() as container:
        for order_id in orders:
            await placed(container.storage(), order_id)
        await caught_up(container)


def make_topic(cluster: LocalKafka) -> None:
    """Make the topic with replicas on the first two brokers."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    [made] = client.create_topics([NewTopic(TOPIC, 3, replica_assignment=[[1, 2]] * 3, config=CONFIG)]).values()
    made.result(60)


def in_sync(cluster: LocalKafka) -> set[int]:
    """Return the brokers that have a replica in sync."""
    return {broker for partition in partitions(cluster) for broker in partition.isrs}


def leaders(cluster: LocalKafka) -> set[int]:
    return {partition.leader for partition in partitions(cluster)}


def partitions(cluster: LocalKafka) -> list:  # type: ignore[type-arg]
    client = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    return list(client.list_topics(TOPIC, timeout=60).topics[TOPIC].partitions.values())
