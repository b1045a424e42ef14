"""The lag of consumer groups by partition, as Kafka knows it."""

from collections.abc import Iterable, Mapping, Sequence

import stamina
from attrs import define, field, frozen
from confluent_kafka import KafkaException
from orderflow.adapters.kafka.client import (
    OneThread,
    ReportingAdmin,
    admin,
    coordinator_unavailable,
    partitions,
    unavailable,
)
from orderflow.adapters.kafka.group_lag import committed_offsets, high_watermarks
from orderflow.adapters.kafka.settings import KafkaSettings


@frozen
class PartitionLag:
    """The lag of a group on one partition. ``committed`` is None if the group has committed nothing there.

    ``end`` is the high watermark.
    """

    partition: int
    committed: int | None
    end: int

    @property
    def lag(self) -> int:
        """The number of offsets in between. It includes the markers of transactions."""
        return max(0, self.end - (self.committed or 0))


@define(eq=False)
class GroupLag:
    """Reads the lag of groups on the topic of ``settings``. ``timeout`` limits each request to Kafka, in seconds."""

    settings: KafkaSettings
    timeout: float = 10.0
    _thread: OneThread = field(factory=lambda: OneThread("lag"), init=False)
    _client: ReportingAdmin | None = field(default=None, init=False)

    async def of(self, groups: Iterable[str]) -> Mapping[str, Sequence[PartitionLag]]:
        """Return the lag of each group by partition. Raises StreamUnavailable, also if the topic does not exist."""
        lags: Mapping[str, Sequence[PartitionLag]] = await self._thread(self._of, tuple(groups))
        return lags

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
            raise unavailable("reading the lag of the groups", error, self._client) from error

    def _ends(self, client: ReportingAdmin) -> Mapping[int, int]:
        topic = self.settings.topic
        ends: Mapping[int, int] = high_watermarks(client, topic, partitions(client, topic, self.timeout), self.timeout)
        return ends

    @stamina.retry(on=coordinator_unavailable, attempts=100, timeout=100.0, wait_initial=0.05, wait_max=1.0)
    def _committed(self, group: str, ends: Mapping[int, int]) -> Mapping[int, int]:
        committed: Mapping[int, int] = committed_offsets(self.settings, group, ends, self.timeout)
        return committed
