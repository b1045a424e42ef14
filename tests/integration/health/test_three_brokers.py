"""Three brokers: they go on without one of them, and the doctor sees what that costs."""

from collections.abc import Iterator

import pytest
from attrs import evolve
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]
from orderflow.adapters.kafka import KafkaSettings
from orderflow.adapters.kafka.health import KafkaHealth
from orderflow.application.health.doctor import topic as checks
from orderflow.application.health.facts import StreamFacts

from tests.support.kafka import KafkaBroker, LocalKafka
from tests.support.waiting import eventually_async
from tests.unit.health.observations import HEALTHY, WANTED


@pytest.fixture(scope="module")
def three_brokers(kafka: KafkaBroker) -> Iterator[LocalKafka]:
    """A cluster of the module's own."""
    if not isinstance(kafka, LocalKafka):
        pytest.skip("three nodes are started from the jars, and this Kafka was not")
    with LocalKafka(nodes=3) as cluster:
        yield cluster


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

        await eventually_async(reported, that=f"topic {name or 'whole'} has {diagnostics}")

    three_brokers.members[0].process.kill()

    async def seen() -> bool:
        lost = await found(three_brokers, topic_name), await found(three_brokers, f"{topic_name}-one")
        return "topic_under_replicated" in lost[0] and "topic_leaderless" in lost[1]

    await eventually_async(seen, that="the copies on the broker that is gone are missed")


def make(cluster: LocalKafka, topic: str, *, copies: int, min_insync: int) -> None:
    """A topic with a partition, or its first copy, on each broker."""
    client = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    placed = [[(first + copy) % 3 + 1 for copy in range(copies)] for first in range(3)]
    config = {"min.insync.replicas": str(min_insync), "retention.ms": "-1"}
    for made in client.create_topics([NewTopic(topic, 3, replica_assignment=placed, config=config)]).values():
        made.result(60)


async def found(cluster: LocalKafka, topic: str) -> list[str]:
    """Return the findings on the topic; none while the cluster elects new leaders."""
    watch = KafkaHealth(KafkaSettings(bootstrap_servers=cluster.bootstrap_servers, topic=topic), {}, timeout=60)
    there = await watch.facts(clock=False)
    await watch.close()
    if not isinstance(there, StreamFacts):
        return []
    return [finding.code for finding in checks.check(evolve(HEALTHY, stream=there), WANTED)]
