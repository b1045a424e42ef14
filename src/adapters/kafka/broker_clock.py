"""What time it is for a broker. Kafka has no question for that, but it dates what it writes itself.

An offset that a group commits becomes a record of the internal topic ``__consumer_offsets``, with the time of the
broker that coordinates the group; and the time of a partition's newest record can be asked for. So a group of our
own, ``<topic>-doctor``, commits an offset, which means nothing, and is deleted again.
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

OFFSETS = "__consumer_offsets"
_MILLISECOND = 0.001
"""Kafka's times have no more digits."""
_TRIES = 2
"""The first may have to look for the coordinator, and is then less exact."""


def broker_clock(
    client: AdminClient, there: ClusterMetadata, topic: str, *, clock: Callable[[], datetime], timeout: float
) -> ClockOffset | None:
    """How far the coordinating broker's clock is ahead; None where its topic may not be looked at.

    Raises KafkaException.
    """
    if OFFSETS not in there.topics or not there.topics[OFFSETS].partitions:
        return None
    group = f"{topic}-doctor"
    partition = TopicPartition(OFFSETS, abs(_java_hash(group)) % len(there.topics[OFFSETS].partitions))
    found = []
    try:
        for _ in range(_TRIES):
            sent = clock()
            _commit(client, group, topic, timeout)
            answered = clock()
            stamp = _newest(client, partition, timeout)
            middle = sent.timestamp() + (answered - sent).total_seconds() / 2
            found.append(ClockOffset(stamp - middle, (answered - sent).total_seconds() / 2 + _MILLISECOND))
    finally:
        for gone in client.delete_consumer_groups([group], request_timeout=timeout).values():
            gone.exception(timeout)  # one that stays expires by itself
    return min(found, key=lambda each: each.uncertain)


def _commit(client: AdminClient, group: str, topic: str, timeout: float) -> None:
    """The coordinator may be loading, or be another one now."""
    for attempt in stamina.retry_context(on=_retriable, attempts=10, timeout=timeout, wait_initial=0.05, wait_max=0.5):
        with attempt:
            asked = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
            answer = client.alter_consumer_group_offsets([asked], request_timeout=timeout)[group]
            for each in answer.result(timeout).topic_partitions:
                if each.error is not None:
                    raise KafkaException(each.error)


def _newest(client: AdminClient, partition: TopicPartition, timeout: float) -> float:
    spec: Any = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call,unused-ignore]
    answer = client.list_offsets({partition: spec}, request_timeout=timeout)[partition]
    stamp: int = answer.result(timeout).timestamp
    return stamp / 1000


def _retriable(error: Exception) -> bool:
    return isinstance(error, KafkaException) and bool(error.args[0].retriable())


def _java_hash(text: str) -> int:
    """Java's hash of a string, by which Kafka chooses a group's partition."""
    found = 0
    for letter in text:
        found = (31 * found + ord(letter)) & 0xFFFFFFFF
    return found - (1 << 32) if found >> 31 else found
