"""Reads the committed offsets of consumer groups, and the ends of partitions."""

from collections.abc import Iterable, Mapping

import stamina
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined,unused-ignore]

from .client import answered, consumer, leader_unavailable
from .settings import KafkaSettings


def committed_offsets(
    settings: KafkaSettings, group: str, partitions: Iterable[int], timeout: float
) -> Mapping[int, int]:
    """Return the group's committed offsets by partition. Raises KafkaException.

    They are read by a consumer that does not join the group, because librdkafka's admin client crashes the process
    (in rd_kafka_cgrp_op, 2.16) if the group's coordinator moves.
    """
    client = consumer(settings, {"group.id": group})
    try:
        offsets = client.committed([TopicPartition(settings.topic, each) for each in partitions], timeout=timeout)
    finally:
        client.close()
    return {each.partition: each.offset for each in offsets if each.offset >= 0}


def high_watermarks(client: AdminClient, topic: str, partitions: Iterable[int], timeout: float) -> Mapping[int, int]:
    """Return the offset after the last record of each partition, committed or not. Raises KafkaException."""
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call,unused-ignore]
    return _offsets(client, topic, partitions, latest, timeout)


def low_watermarks(client: AdminClient, topic: str, partitions: Iterable[int], timeout: float) -> Mapping[int, int]:
    """Return the first offset of each partition; records before it were deleted. Raises KafkaException."""
    earliest: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call,unused-ignore]
    return _offsets(client, topic, partitions, earliest, timeout)


@stamina.retry(on=leader_unavailable, attempts=20, timeout=10.0, wait_initial=0.05, wait_max=1.0)
def _offsets(
    client: AdminClient, topic: str, partitions: Iterable[int], spec: OffsetSpec, timeout: float
) -> Mapping[int, int]:
    requests = {TopicPartition(topic, partition): spec for partition in partitions}
    results = client.list_offsets(requests, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=timeout)
    try:
        return {each.partition: answered(result, timeout + 1).offset for each, result in results.items()}
    except KafkaException as error:
        if leader_unavailable(error):  # a retry would ask the leader of the epoch that the client remembers
            client.list_topics(topic, timeout=timeout)
        raise
