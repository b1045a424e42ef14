"""The lag of a consumer group by partition, as Kafka knows it."""

import asyncio
from collections.abc import Sequence

import stamina
from attrs import frozen
from orderflow.adapters.kafka.client import admin, coordinator_unavailable, partitions
from orderflow.adapters.kafka.group_lag import committed_offsets, high_watermarks
from orderflow.adapters.kafka.settings import KafkaSettings

TIMEOUT = 10.0


@frozen
class PartitionLag:
    """The lag of a group on one partition. ``committed`` is None if the group has committed nothing there.

    ``end`` is the high watermark.
    """

    committed: int | None
    end: int

    @property
    def lag(self) -> int:
        """The number of offsets in between. It includes the markers of transactions."""
        return max(0, self.end - (self.committed or 0))


async def group_lag(settings: KafkaSettings, group: str) -> Sequence[PartitionLag]:
    """Return the lag of the group on each partition of the topic of ``settings``. Raises KafkaException."""
    lags: Sequence[PartitionLag] = await asyncio.to_thread(_read, settings, group)
    return lags


@stamina.retry(on=coordinator_unavailable, attempts=100, timeout=100.0, wait_initial=0.05, wait_max=1.0)
def _read(settings: KafkaSettings, group: str) -> Sequence[PartitionLag]:
    client, topic = admin(settings), settings.topic
    ends = high_watermarks(client, topic, partitions(client, topic, TIMEOUT), TIMEOUT)
    committed = committed_offsets(settings, group, ends, TIMEOUT)
    return [PartitionLag(committed.get(partition), end) for partition, end in sorted(ends.items())]
