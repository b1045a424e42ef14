"""A topic of the test's own, and everything on it as a client that is not ours sees it."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from attrs import frozen
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from orderflow.adapters.kafka import KafkaSettings
from orderflow.adapters.kafka.client import leader_unavailable

from tests.support.kafka import KafkaBroker, LocalKafka
from tests.support.servers import obtain
from tests.support.waiting import eventually


@frozen
class TopicRecord:
    """One record on the topic."""

    partition: int
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]

    @property
    def address(self) -> tuple[int, int]:
        return int(self.headers["bucket"]), int(self.headers["position"])


def on_topic(settings: KafkaSettings) -> Sequence[TopicRecord]:
    """Every committed record, partition by partition, read by a bare client; open transactions are waited for."""
    properties = {"bootstrap.servers": settings.bootstrap_servers, "group.id": "anybody", "log_level": 0}
    uncommitted = Consumer({**properties, "isolation.level": "read_uncommitted"})
    consumer = Consumer({**properties, "isolation.level": "read_committed", "enable.partition.eof": True})
    seen = []
    try:
        for partition in sorted(consumer.list_topics(settings.topic, timeout=60).topics[settings.topic].partitions):
            end = _end(uncommitted, TopicPartition(settings.topic, partition))
            consumer.assign([TopicPartition(settings.topic, partition, 0)])
            at = 0
            while at < end:
                message = consumer.poll(30)
                assert message is not None, f"partition {partition} can be read up to {end}, not only to {at}"
                at = message.offset() or 0
                if (error := message.error()) is not None:
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    continue
                at += 1
                headers = {name: bytes(said or b"").decode() for name, said in message.headers() or ()}
                key, value = message.key() or b"", message.value() or b""
                seen.append(TopicRecord(partition, at - 1, key.decode(), value, headers))
    finally:
        consumer.close()
        uncommitted.close()
    return seen


def _end(uncommitted: Consumer, partition: TopicPartition) -> int:
    """The offset after the last record; the leader of a partition just made may know nothing of it yet."""

    def offsets() -> tuple[int, int] | None:
        try:
            return uncommitted.get_watermark_offsets(partition, 10)
        except KafkaException as error:
            if leader_unavailable(error):
                return None
            raise

    return eventually(offsets, that=f"{partition} has a leader")[1]


@pytest.fixture
def kafka_settings(kafka: KafkaBroker, topic_name: str) -> KafkaSettings:
    """An empty topic with three partitions."""
    kafka.create_topic(topic_name)
    return KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)


@pytest.fixture
def topic_now(kafka_settings: KafkaSettings) -> Callable[[], Sequence[TopicRecord]]:
    """A function that reads the committed records of the test's topic."""
    return lambda: on_topic(kafka_settings)


@pytest.fixture(scope="module")
def secured_kafka(kafka: KafkaBroker) -> Iterator[KafkaBroker]:
    """A Kafka with a secured listener: the session's, or, where that is not ours to set up, one of our own."""
    if kafka.secured is not None:
        yield kafka
        return
    with obtain(LocalKafka) as own:
        yield own
