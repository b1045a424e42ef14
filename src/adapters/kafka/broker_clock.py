"""Measures the clock of a broker. Kafka has no request for its time, but brokers set the timestamps of some records.

An offset that a group commits is written to the internal topic ``__consumer_offsets``, with the time of the broker
that coordinates the group. The timestamp of a partition's newest record can be requested. So a separate group,
``<topic>-doctor``, commits an arbitrary offset, and is deleted afterwards.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import stamina
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined,unused-ignore]
    AdminClient,
    ClusterMetadata,
    OffsetSpec,
)

from ...application.health.facts import ClockOffset
from .client import answered

OFFSETS = "__consumer_offsets"
_MILLISECOND = 0.001
"""The resolution of Kafka's timestamps, in seconds."""
_TRIES = 2
"""The first measurement may include finding the coordinator, which makes it less exact."""


def broker_clock(
    client: AdminClient, cluster: ClusterMetadata, topic: str, *, clock: Callable[[], datetime], timeout: float
) -> ClockOffset | None:
    """Measure how far the coordinator's clock is ahead. Return None if its topic is not visible to this user.

    Raises KafkaException.
    """
    if OFFSETS not in cluster.topics or not cluster.topics[OFFSETS].partitions:
        return None
    group = f"{topic}-doctor"
    partition = TopicPartition(OFFSETS, abs(_java_hash(group)) % len(cluster.topics[OFFSETS].partitions))
    offsets = []
    try:
        for _ in range(_TRIES):
            sent = clock()
            _commit(client, group, topic, timeout)
            received = clock()
            timestamp = _newest(client, partition, timeout)
            midpoint = sent.timestamp() + (received - sent).total_seconds() / 2
            offsets.append(ClockOffset(timestamp - midpoint, (received - sent).total_seconds() / 2 + _MILLISECOND))
    finally:
        for deleted in client.delete_consumer_groups([group], request_timeout=timeout).values():
            deleted.exception(timeout)  # a group that is left expires by itself
    return min(offsets, key=lambda each: each.uncertain)


def _commit(client: AdminClient, group: str, topic: str, timeout: float) -> None:
    """Commit an offset. Retry while the coordinator is loading or moving."""
    for attempt in stamina.retry_context(on=_retriable, attempts=10, timeout=timeout, wait_initial=0.05, wait_max=0.5):
        with attempt:
            requested = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
            response = client.alter_consumer_group_offsets([requested], request_timeout=timeout)[group]
            for each in answered(response, timeout).topic_partitions:
                if each.error is not None:
                    raise KafkaException(each.error)


def _newest(client: AdminClient, partition: TopicPartition, timeout: float) -> float:
    spec: Any = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call,unused-ignore]
    response = client.list_offsets({partition: spec}, request_timeout=timeout)[partition]
    timestamp: int = answered(response, timeout).timestamp
    return timestamp / 1000


def _retriable(error: Exception) -> bool:
    return isinstance(error, KafkaException) and bool(error.args[0].retriable())


def _java_hash(text: str) -> int:
    """Return Java's hash of a string, by which Kafka assigns a group to a partition of its offsets topic."""
    value = 0
    for char in text:
        value = (31 * value + ord(char)) & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
