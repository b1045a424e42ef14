"""The topic is made as asked for, shown as it is, and never taken for another."""

from collections.abc import AsyncIterator

import pytest
from orderflow.adapters.kafka import KafkaSettings, TopicAdmin
from orderflow.adapters.kafka.topic_reader import KafkaTopicReader
from orderflow.domain.errors import NotFound, StreamUnavailable, TopicMismatch

from tests.support.kafka import KafkaBroker
from tests.support.servers import free_port


@pytest.fixture
async def admin(kafka: KafkaBroker, topic_name: str) -> AsyncIterator[TopicAdmin]:
    """Of a topic that is not there."""
    admin = TopicAdmin(KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name))
    yield admin
    await admin.close()


async def test_a_topic_is_made_to_keep_everything_forever(admin: TopicAdmin) -> None:
    made = await admin.create()

    there = await admin.describe()
    assert made
    assert (there.partitions, there.retention_ms, there.cleanup_policy) == (3, -1, "delete")
    assert (there.replication, there.min_insync) == (1, 1)


async def test_a_topic_is_made_as_asked_for(admin: TopicAdmin) -> None:
    await admin.create(partitions=5, replication=1, retention_ms=86_400_000, min_insync=1)

    there = await admin.describe()

    assert (there.partitions, there.replication, there.retention_ms) == (5, 1, 86_400_000)


async def test_making_it_again_with_the_same_settings_changes_nothing(admin: TopicAdmin) -> None:
    await admin.create(partitions=5, retention_ms=86_400_000)

    assert not await admin.create(partitions=5, retention_ms=86_400_000)


async def test_making_it_again_with_others_is_refused_and_names_them(admin: TopicAdmin) -> None:
    await admin.create(partitions=5, retention_ms=86_400_000)

    with pytest.raises(TopicMismatch) as refused:
        await admin.create(partitions=3)

    assert refused.value.differences == (
        "partitions is 5, requested was 3",
        "retention ms is 86400000, requested was -1",
    )
    assert (await admin.describe()).partitions == 5


async def test_more_replicas_than_brokers_are_refused_with_kafkas_reason(admin: TopicAdmin) -> None:
    with pytest.raises(StreamUnavailable, match="INVALID_REPLICATION_FACTOR"):
        await admin.create(replication=100)


async def test_a_topic_that_is_not_there_is_not_found(admin: TopicAdmin) -> None:
    with pytest.raises(NotFound):
        await admin.describe()
    with pytest.raises(NotFound):
        await admin.ping()


async def test_a_topic_that_is_there_answers(admin: TopicAdmin) -> None:
    await admin.create()

    await admin.ping()


async def test_a_kafka_that_is_not_there_is_unavailable() -> None:
    admin = TopicAdmin(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}"))

    with pytest.raises(StreamUnavailable):
        await admin.ping()

    await admin.close()


@pytest.mark.parametrize(("policy", "compacted"), [("compact", True), ("delete", False), ("compact,delete", True)])
async def test_a_scan_knows_whether_the_topic_is_compacted(
    kafka: KafkaBroker, topic_name: str, policy: str, compacted: bool
) -> None:
    kafka.create_topic(topic_name, config={"cleanup.policy": policy})
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)

    async with KafkaTopicReader(settings).scan() as scan:
        known = scan.compacted

    assert known is compacted
