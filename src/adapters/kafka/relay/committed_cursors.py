"""Reads the cursors that the relays have committed, without joining their group."""

from collections.abc import Mapping

from attrs import frozen
from confluent_kafka import KafkaException, TopicPartition

from ....application.event_log.records import BUCKETS
from ....application.recovery.restore_guard import Committed
from ....domain.errors import StreamUnavailable
from ..client import BACKEND, OneThread, consumer, partitions, unavailable
from ..settings import KafkaSettings
from .offset_metadata import OffsetMetadata


@frozen
class KafkaCommittedCursors:
    """Reads the committed cursors. ``timeout`` limits each request to Kafka, in seconds."""

    settings: KafkaSettings
    buckets: int = BUCKETS
    timeout: float = 10.0

    async def committed(self) -> Mapping[int, Committed]:
        """Return the cursor of each bucket. Raises StreamUnavailable, also if the metadata of an offset is invalid."""
        thread = OneThread("relay-cursors")
        try:
            return await thread(self._committed)
        finally:
            thread.close()

    def _committed(self) -> Mapping[int, Committed]:
        client = consumer(self.settings, {"group.id": self.settings.relay_group})
        try:
            numbers = partitions(client, self.settings.topic, self.timeout)
            requested = [TopicPartition(self.settings.topic, partition) for partition in numbers]
            offsets = client.committed(requested, timeout=self.timeout)
            for offset in offsets:
                if offset.error is not None:  # an error does not mean that there is no cursor
                    raise KafkaException(offset.error)
        except KafkaException as error:
            raise unavailable("reading the relays' cursors", error, client) from error
        finally:
            client.close()
        cursors: dict[int, Committed] = {}
        for offset in offsets:
            for bucket, at in self._cursors_in(offset).items() if offset.metadata else ():
                if bucket not in cursors or (at.epoch, at.position) > (cursors[bucket].epoch, cursors[bucket].position):
                    cursors[bucket] = at
        return cursors

    def _cursors_in(self, offset: TopicPartition) -> Mapping[int, Committed]:
        try:
            parsed = OffsetMetadata.parse(offset.metadata or "", self.buckets)
        except ValueError as error:
            raise StreamUnavailable(BACKEND, f"the metadata of a committed offset is invalid: {error}") from error
        return {
            b: Committed(at, parsed.checksums.get(b), parsed.epoch, offset.partition)
            for b, at in parsed.positions.items()
        }
