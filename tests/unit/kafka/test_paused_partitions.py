"""A paused consumer goes on with every partition that it has, also one that another member had in between.

The brokers are those that librdkafka itself has for tests.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
from confluent_kafka import Message, Producer, TopicPartition
from orderflow.adapters.kafka import KafkaEventSource, KafkaSettings, event_source
from orderflow.adapters.kafka.client import ReportingConsumer
from orderflow.adapters.kafka.known_brokers import KnownBrokers
from pytest_mock import MockerFixture

from tests.support.waiting import eventually_async

PARTITIONS = 4
"""Those of a topic that the brokers create by themselves."""


@pytest.fixture
def settings() -> Iterator[KafkaSettings]:
    cluster = Producer({"bootstrap.servers": "replaced", "test.mock.num.brokers": 1, "log_level": 0})
    [broker] = cluster.list_topics(timeout=60).brokers.values()
    yield KafkaSettings(bootstrap_servers=f"{broker.host}:{broker.port}", properties={"log_level": "0"})
    del cluster  # it ends with its producer


@pytest.fixture
async def source(settings: KafkaSettings) -> AsyncIterator[KafkaEventSource]:
    source = KafkaEventSource(settings, "analytics")
    yield source
    await source.close()


def send(settings: KafkaSettings) -> None:
    """Write a record to each partition."""
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0})
    producer.list_topics(settings.topic, timeout=60)
    for partition in range(PARTITIONS):
        producer.produce(settings.topic, b"{}", "O1", partition)
    assert producer.flush(60) == 0


async def read_all(source: KafkaEventSource) -> None:
    """Read until there was a record of each partition."""
    partitions: set[int] = set()

    async def enough() -> bool:
        partitions.update(record.partition for record in await source.read(100))  # type: ignore[union-attr]
        return len(partitions) == PARTITIONS

    await eventually_async(enough, that="there is a record of each partition")


async def test_a_partition_that_was_revoked_during_a_pause_is_read_when_it_comes_back(
    source: KafkaEventSource, settings: KafkaSettings
) -> None:
    other = KafkaEventSource(settings, "analytics")

    async def shared() -> bool:
        await source.pause()
        await other.read(1)
        return len(source.partitions) == len(other.partitions) == PARTITIONS // 2

    async def alone() -> bool:
        await source.read(100)
        return len(source.partitions) == PARTITIONS

    send(settings)
    await read_all(source)
    await source.done()
    await eventually_async(shared, that="another member has half of the partitions")
    await other.close()
    await eventually_async(alone, that="the first member has them again, and reads")

    send(settings)

    await read_all(source)


async def test_a_record_that_was_fetched_before_a_pause_is_not_given_after_a_rewind(mocker: MockerFixture) -> None:
    client = mocker.create_autospec(ReportingConsumer, instance=True)
    client.brokers = KnownBrokers()
    client.poll.return_value = Message(topic="order-events", partition=0, offset=5, value=b"{}")
    client.committed.return_value = [TopicPartition("order-events", 0, 3)]
    mocker.patch.object(event_source, "consumer", return_value=client)
    source = KafkaEventSource(KafkaSettings(bootstrap_servers="nowhere"), "analytics")
    source._on_assign(client, [TopicPartition("order-events", 0)])
    await source.pause()
    client.poll.return_value = None

    await source.rewind()

    assert await source.read(1) == []
    await source.close()
