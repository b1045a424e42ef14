"""The consumer group of the relays: assigns partitions and keeps the committed offsets. No record is fetched."""

from collections.abc import Iterable, Mapping
from typing import Self

import stamina
from attrs import define, field
from confluent_kafka import Consumer, KafkaException, TopicPartition

from ....domain.errors import StreamUnavailable
from ..client import BACKEND, ReportingConsumer, consumer, leader_unavailable, metadata, unavailable
from ..settings import KafkaSettings
from .offset_metadata import OffsetMetadata

_DEFAULTS = {
    "heartbeat.interval.ms": "1000",
    "retry.backoff.ms": "20",
    "session.timeout.ms": "6000",
    "topic.metadata.refresh.interval.ms": "10000",
}


@define(eq=False)
class RelayGroup:
    """The membership of one relay, for use on one thread. ``timeout`` limits each request to Kafka, in seconds."""

    settings: KafkaSettings
    buckets: int
    timeout: float
    _consumer: ReportingConsumer = field(init=False)
    _assigned: set[int] = field(factory=set, init=False)

    @classmethod
    def join(cls, settings: KafkaSettings, *, buckets: int, timeout: float) -> Self:
        """Join the group. Raises InvalidInput for a property that librdkafka refuses."""
        group = cls(settings, buckets, timeout)
        group._consumer = consumer(
            settings,
            {"group.id": settings.relay_group, "partition.assignment.strategy": "cooperative-sticky"},
            _DEFAULTS,
        )
        group._consumer.subscribe(
            [settings.topic], on_assign=group._on_assign, on_revoke=group._on_revoke, on_lost=group._on_revoke
        )
        return group

    @property
    def lost(self) -> bool:
        """True if the client has lost all its brokers, so that this relay must join anew."""
        return self._consumer.brokers.lost

    def poll(self, wait: float) -> frozenset[int]:
        """Take part in rebalances for ``wait`` seconds and return the assigned partitions. Raises StreamUnavailable."""
        message = self._consumer.poll(wait)
        if message is not None and (error := message.error()) is not None:
            raise unavailable(f"group {self.settings.relay_group}", error, self._consumer)
        return frozenset(self._assigned)

    def generation(self) -> bytes:
        """Return the metadata of this membership. It changes with each generation of the group."""
        membership: bytes = self._consumer.consumer_group_metadata()
        return membership

    def partitions(self) -> int:
        """Return the current number of partitions. Raises StreamUnavailable, also if the topic does not exist."""
        topic = self.settings.topic
        try:
            described = metadata(self._consumer, topic, self.timeout)
        except KafkaException as error:
            raise unavailable("reading the topic's partitions", error, self._consumer) from error
        if described.error is not None:
            raise unavailable(f"topic {topic!r}", described.error)
        return len(described.partitions)

    def committed_metadata(self, partitions: Iterable[int]) -> Mapping[int, OffsetMetadata | None]:
        """Return the committed metadata of each partition. Wait for transactions that may still commit one.

        Raises StreamUnavailable, also if metadata is invalid: it is never ignored.
        """
        requested = [TopicPartition(self.settings.topic, partition) for partition in partitions]
        try:
            committed = self._consumer.committed(requested, timeout=self.timeout)
        except KafkaException as error:
            action = "reading the cursors, or waiting for the transaction of the previous relay"
            raise unavailable(action, error, self._consumer) from error
        return {offset.partition: self._metadata(offset) for offset in committed}

    def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """Return the offset after the last record of each partition. Raises StreamUnavailable."""
        try:
            return {partition: self._end(partition) for partition in partitions}
        except KafkaException as error:
            raise unavailable("reading the end offsets of the partitions", error, self._consumer) from error

    def leave(self) -> None:
        """Leave the group, so that the partitions are reassigned immediately."""
        self._consumer.close()

    @stamina.retry(on=leader_unavailable, attempts=20, timeout=10.0, wait_initial=0.05, wait_max=1.0)
    def _end(self, partition: int) -> int:
        return self._consumer.get_watermark_offsets(TopicPartition(self.settings.topic, partition), self.timeout)[1]

    def _metadata(self, offset: TopicPartition) -> OffsetMetadata | None:
        if offset.error is not None:
            raise unavailable("reading the cursors", offset.error)
        if not offset.metadata:
            return None
        try:
            return OffsetMetadata.parse(offset.metadata, self.buckets)
        except ValueError as error:
            raise StreamUnavailable(
                BACKEND,
                f"the metadata committed by group {self.settings.relay_group} for partition {offset.partition} "
                f"is invalid: {error}",
            ) from error

    # librdkafka calls the methods below within ``poll`` and ``close``, on the calling thread.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign([TopicPartition(each.topic, each.partition, 0) for each in partitions])
        consumer.pause(partitions)
        self._assigned.update(each.partition for each in partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned.difference_update(each.partition for each in partitions)
        consumer.incremental_unassign(partitions)
