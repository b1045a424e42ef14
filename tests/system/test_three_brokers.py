"""Three brokers: the doctor reports the copies that a lost one had, and the records that an unclean election lost."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from attrs import evolve
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]
from orderflow.adapters.kafka import KafkaSettings
from orderflow.adapters.kafka.health import KafkaHealth
from orderflow.application.health.doctor import topic as checks
from orderflow.application.health.facts import StreamFacts
from orderflow.entrypoints.settings import Settings
from orderflow.testing.orders import in_bucket, placed

from tests.support.databases import migrated
from tests.support.here import Here, caught_up
from tests.support.kafka import LocalKafka
from tests.support.servers import obtain
from tests.support.waiting import eventually, eventually_async
from tests.unit.health.observations import HEALTHY, WANTED

T = TypeVar("T")
TOPIC = "order-events"
CONFIG = {"min.insync.replicas": "1", "unclean.leader.election.enable": "true", "retention.ms": "-1"}
COORDINATORS = ("__consumer_offsets", "__transaction_state")


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[LocalKafka]:
    """A cluster of the module's own."""
    with obtain(lambda: LocalKafka(nodes=3)) as cluster:
        yield cluster


@pytest.fixture
def three_brokers(own_cluster: LocalKafka) -> LocalKafka:
    """The cluster with all its brokers, whatever a test before has left of them."""
    for member in own_cluster.members:
        if member.process.running:
            member.process.resume()
    own_cluster.start()
    return own_cluster


async def test_records_that_an_unclean_election_lost_are_found_by_the_doctor_and_then_by_the_check(
    three_brokers: LocalKafka, tmp_path: Path
) -> None:
    cluster = three_brokers
    await asyncio.to_thread(make_topics, cluster)
    url = migrated(f"sqlite:///{tmp_path / 'orders.db'}")
    here = Here(Settings(database_url=url, kafka_bootstrap_servers=cluster.bootstrap_servers, topic=TOPIC))
    kept, lost, later = (in_bucket(1, 15)[first : first + 5] for first in (0, 5, 10))
    first, second, _ = cluster.members
    await publish(here, kept)
    second.process.pause()
    await wait_until(lambda: in_sync(cluster) == {1}, "the first broker has the only replica")
    await publish(here, lost)
    whole = await wait_until(lambda: ends(cluster), "the first broker answers as the leader")

    first.process.pause()
    second.process.resume()
    await wait_until(lambda: leaders(cluster) == {2}, "the second broker leads")
    # It may not know it yet, and would still copy what the first one has.
    left = await wait_until(lambda: ends(cluster), "the second broker answers as the leader")
    assert left[1] < whole[1]
    # If the busy second broker were fenced for a moment, the first would lead again, with all its records.
    await asyncio.to_thread(cluster.alter_topic, TOPIC, unclean_leader_election_enable="false")
    first.process.resume()
    await wait_until(lambda: in_sync(cluster) == {1, 2}, "the first broker follows")
    assert await wait_until(lambda: ends(cluster), "both brokers are there") == left
    missed = await asyncio.to_thread(eventually, lambda: shortened(here), every=0.5, that="the doctor misses records")
    await publish(here, later)
    checked = await asyncio.to_thread(here.command_line, "--json", "check")

    assert "of partition 1" in missed
    assert checked.code == 1
    assert "missing from position 6 on: 5 events" in checked.out


async def test_the_doctor_sees_which_copies_are_missing(three_brokers: LocalKafka, topic_name: str) -> None:
    make(three_brokers, topic_name, copies=3, min_insync=3)
    make(three_brokers, f"{topic_name}-few", copies=2, min_insync=1)
    make(three_brokers, f"{topic_name}-one", copies=1, min_insync=1)

    # A broker hears a moment later of what was made on another.
    for name, diagnostics in (
        ("", ["topic_min_insync_high"]),
        ("-few", ["topic_fewer_copies", "topic_min_insync_low"]),
        ("-one", ["topic_replication", "topic_fewer_copies"]),
    ):

        async def reported(name: str = name, diagnostics: list[str] = diagnostics) -> bool:
            return await found(three_brokers, topic_name + name) == diagnostics

        await eventually_async(reported, every=0.5, that=f"topic {name or 'whole'} has {diagnostics}")

    three_brokers.members[0].process.kill()
    await wait_until(lambda: -1 in leaders(three_brokers, f"{topic_name}-one"), "the cluster misses the broker")

    async def seen() -> bool:
        lost = await found(three_brokers, topic_name), await found(three_brokers, f"{topic_name}-one")
        return "topic_under_replicated" in lost[0] and "topic_leaderless" in lost[1]

    await eventually_async(seen, every=0.5, that="the copies on the broker that is gone are missed")


def shortened(here: Here) -> str:
    """Return the doctor's finding on lost records, and print what else it found, for a failure."""
    findings = here.command_line("--json", "doctor").data["findings"]
    print(findings)
    return next((finding["found"] for finding in findings if finding["code"] == "topic_shortened"), "")


async def wait_until(condition: Callable[[], T], that: str) -> T:
    """Return the first true value of ``condition``, which asks the brokers with a new client each time."""
    return await asyncio.to_thread(eventually, condition, every=0.5, that=that)


async def publish(here: Here, orders: list[str]) -> None:
    """Place the orders, and return when relay and consumers have done their part for each.

    Offsets that are committed may be those before the last transaction and batch, so that the orders must not be one.
    """
    async with here.running() as container:
        for order_id in orders:
            await placed(container.storage(), order_id)
            await caught_up(container)


def make_topics(cluster: LocalKafka) -> None:
    """Make the topic with replicas on the first two brokers, and all coordinators on the third, which stays."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    compacted = {"cleanup.policy": "compact", "min.insync.replicas": "1"}
    topics = [
        NewTopic(TOPIC, 3, replica_assignment=[[1, 2]] * 3, config=CONFIG),
        *(NewTopic(name, 3, replica_assignment=[[3]] * 3, config=compacted) for name in COORDINATORS),
    ]
    for made in client.create_topics(topics).values():
        made.result(60)


def in_sync(cluster: LocalKafka) -> set[int]:
    """Return the brokers that have a replica in sync."""
    return {broker for partition in partitions(cluster, TOPIC) for broker in partition.isrs}


def ends(cluster: LocalKafka) -> list[int]:
    """Return the end of each partition; nothing until the leader of each answers for it."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = client.list_offsets({TopicPartition(TOPIC, each): latest for each in range(3)}, request_timeout=10)
    try:
        return [asked[each].result(15).offset for each in sorted(asked, key=lambda it: it.partition)]
    except KafkaException:
        return []


def leaders(cluster: LocalKafka, topic: str = TOPIC) -> set[int]:
    """Return the leaders of the partitions; -1 for one that has none."""
    return {partition.leader for partition in partitions(cluster, topic)}


def partitions(cluster: LocalKafka, topic: str) -> list:  # type: ignore[type-arg]
    """Ask the third broker, which no test stops."""
    client = AdminClient({"bootstrap.servers": f"127.0.0.1:{cluster.members[2].port}", "log_level": 0})
    return list(client.list_topics(topic, timeout=60).topics[topic].partitions.values())


def make(cluster: LocalKafka, topic: str, *, copies: int, min_insync: int) -> None:
    """A topic with a partition, or its first copy, on each broker."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    placed = [[(first + copy) % 3 + 1 for copy in range(copies)] for first in range(3)]
    config = {"min.insync.replicas": str(min_insync), "retention.ms": "-1"}
    for made in client.create_topics([NewTopic(topic, 3, replica_assignment=placed, config=config)]).values():
        made.result(60)


async def found(cluster: LocalKafka, topic: str) -> list[str]:
    """Return the findings on the topic; none while the cluster elects new leaders, or does not answer soon."""
    watch = KafkaHealth(KafkaSettings(bootstrap_servers=cluster.bootstrap_servers, topic=topic), {}, timeout=10)
    there = await watch.facts(clock=False)
    await watch.close()
    if not isinstance(there, StreamFacts):
        return []
    return [finding.code for finding in checks.check(evolve(HEALTHY, stream=there), WANTED)]
