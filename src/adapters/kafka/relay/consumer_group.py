"""The relays' consumer group: who has which partition, and what was committed for it. No record is ever fetched."""

from collections.abc import Iterable, Mapping
from typing import Self

import stamina
from attrs import define, field
from confluent_kafka import Consumer, KafkaException, TopicPartition

from ....domain.errors import StreamUnavailable
from ..client import BACKEND, ReportingConsumer, consumer, leaderless, metadata, unavailable
from ..settings import KafkaSettings
from .offset_metadata import OffsetMetadata

_PREFERRED = {
    "heartbeat.interval.ms": "1000",
    "retry.backoff.ms": "20",
    "session.timeout.ms": "6000",
    "topic.metadata.refresh.interval.ms": "10000",
}


@define(eq=False)
class RelayGroup:
    """One relay's membership, for one thread. ``timeout`` bounds, in seconds, what is asked of Kafka."""

    settings: KafkaSettings
    buckets: int
    timeout: float
    _consumer: ReportingConsumer = field(init=False)
    _own: set[int] = field(factory=set, init=False)

    @classmethod
    def join(cls, settings: KafkaSettings, *, buckets: int, timeout: float) -> Self:
        """Raises InvalidInput for a property that librdkafka does not take."""
        group = cls(settings, buckets, timeout)
        group._consumer = consumer(
            settings,
            {"group.id": settings.relay_group, "partition.assignment.strategy": "cooperative-sticky"},
            _PREFERRED,
        )
        group._consumer.subscribe(
            [settings.topic], on_assign=group._gained, on_revoke=group._gave_up, on_lost=group._gave_up
        )
        return group

    def serve(self, wait: float) -> frozenset[int]:
        """The partitions that are this relay's, after what the group has decided within ``wait`` seconds.

        Raises StreamUnavailable.
        """
        message = self._consumer.poll(wait)
        if message is not None and (error := message.error()) is not None:
            raise unavailable(f"group {self.settings.relay_group}", error, self._consumer)
        return frozenset(self._own)

    def generation(self) -> bytes:
        """This membership in the group's present generation; equal as long as nothing has changed in the group."""
        membership: bytes = self._consumer.consumer_group_metadata()
        return membership

    def partitions(self) -> int:
        """How many partitions the topic has now. Raises StreamUnavailable, also when there is no such topic."""
        topic = self.settings.topic
        try:
            described = metadata(self._consumer, topic, self.timeout)
        except KafkaException as error:
            raise unavailable("asking for the topic's partitions", error, self._consumer) from error
        if described.error is not None:
            raise unavailable(f"topic {topic!r}", described.error)
        return len(described.partitions)

    def notes(self, partitions: Iterable[int]) -> Mapping[int, OffsetMetadata | None]:
        """The committed note of each partition; a transaction that may yet commit one is waited for.

        Raises StreamUnavailable, also for a note that is not understood: it is never passed over.
        """
        asked = [TopicPartition(self.settings.topic, partition) for partition in partitions]
        try:
            committed = self._consumer.committed(asked, timeout=self.timeout)
        except KafkaException as error:
            doing = "reading the cursors, or waiting for the last relay's transaction"
            raise unavailable(doing, error, self._consumer) from error
        return {answer.partition: self._note(answer) for answer in committed}

    def ends(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """The offset after the last record of each partition. Raises StreamUnavailable."""
        try:
            return {partition: self._end(partition) for partition in partitions}
        except KafkaException as error:
            raise unavailable("asking for the ends of the partitions", error, self._consumer) from error

    def leave(self) -> None:
        """The others take over at once."""
        self._consumer.close()

    @stamina.retry(on=leaderless, attempts=20, timeout=10.0, wait_initial=0.05, wait_max=1.0)
    def _end(self, partition: int) -> int:
        return self._consumer.get_watermark_offsets(TopicPartition(self.settings.topic, partition), self.timeout)[1]

    def _note(self, answer: TopicPartition) -> OffsetMetadata | None:
        if answer.error is not None:
            raise unavailable("reading the cursors", answer.error)
        if not answer.metadata:
            return None
        try:
            return OffsetMetadata.read(answer.metadata, self.buckets)
        except ValueError as unknown:
            raise StreamUnavailable(
                BACKEND,
                f"the cursor committed by group {self.settings.relay_group} for partition {answer.partition} "
                f"is not understood: {unknown}",
            ) from unknown

    # Called by librdkafka within ``poll`` and ``close``, on the thread that calls them.

    def _gained(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign([TopicPartition(each.topic, each.partition, 0) for each in partitions])
        consumer.pause(partitions)
        self._own.update(each.partition for each in partitions)

    def _gave_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._own.difference_update(each.partition for each in partitions)
        consumer.incremental_unassign(partitions)
