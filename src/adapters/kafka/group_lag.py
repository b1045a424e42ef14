"""The lag that Kafka itself knows: what each consumer group has committed, beside the end of each partition."""

from collections.abc import Iterable, Mapping, Sequence

import stamina
from attrs import define, field, frozen
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined,unused-ignore]

from .client import OneThread, ReportingAdmin, admin, consumer, coordinating, leaderless, metadata, unavailable
from .settings import KafkaSettings


@frozen
class PartitionLag:
    """``committed`` is None where the group has committed nothing; ``end`` is its high watermark."""

    partition: int
    committed: int | None
    end: int

    @property
    def lag(self) -> int:
        """How many offsets lie between; the markers of transactions count too."""
        return max(0, self.end - (self.committed or 0))


@define(eq=False)
class GroupLag:
    """``timeout`` bounds, in seconds, each thing that is asked of Kafka."""

    settings: KafkaSettings
    timeout: float = 10.0
    _thread: OneThread = field(factory=lambda: OneThread("lag"), init=False)
    _client: ReportingAdmin | None = field(default=None, init=False)

    async def of(self, groups: Iterable[str]) -> Mapping[str, Sequence[PartitionLag]]:
        """Each group's lag on the topic by partition. Raises StreamUnavailable, also when there is no such topic."""
        return await self._thread(self._of, tuple(groups))

    async def close(self) -> None:
        self._thread.close()

    def _of(self, groups: Sequence[str]) -> Mapping[str, Sequence[PartitionLag]]:
        if self._client is None:
            self._client = admin(self.settings)
        try:
            ends = self._ends(self._client)
            return {
                group: [PartitionLag(p, committed.get(p), end) for p, end in sorted(ends.items())]
                for group in groups
                for committed in [self._committed(group, ends)]
            }
        except KafkaException as error:
            raise unavailable("asking for the groups' lag", error, self._client) from error

    def _ends(self, client: ReportingAdmin) -> Mapping[int, int]:
        topic = self.settings.topic
        described = metadata(client, topic, self.timeout)
        if described.error is not None:
            raise KafkaException(described.error)
        return high_watermarks(client, topic, described.partitions, self.timeout)

    @stamina.retry(on=coordinating, attempts=20, timeout=10.0, wait_initial=0.05, wait_max=1.0)
    def _committed(self, group: str, ends: Mapping[int, int]) -> Mapping[int, int]:
        return committed_offsets(self.settings, group, ends, self.timeout)


def committed_offsets(
    settings: KafkaSettings, group: str, partitions: Iterable[int], timeout: float
) -> Mapping[int, int]:
    """What the group has committed of the topic, by partition. Raises KafkaException.

    A consumer that joins nothing asks: librdkafka's administrative client crashes the process (in rd_kafka_cgrp_op,
    2.16) when the group's coordinator is moving.
    """
    asking = consumer(settings, {"group.id": group})
    try:
        offsets = asking.committed([TopicPartition(settings.topic, each) for each in partitions], timeout=timeout)
    finally:
        asking.close()
    return {each.partition: each.offset for each in offsets if each.offset >= 0}


@stamina.retry(on=leaderless, attempts=20, timeout=10.0, wait_initial=0.05, wait_max=1.0)
def high_watermarks(client: AdminClient, topic: str, partitions: Iterable[int], timeout: float) -> Mapping[int, int]:
    """The offset after the last record of each partition, committed or not. Raises KafkaException."""
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call,unused-ignore]
    asked = {TopicPartition(topic, partition): latest for partition in partitions}
    answers = client.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=timeout)
    return {each.partition: answer.result(timeout + 1).offset for each, answer in answers.items()}
