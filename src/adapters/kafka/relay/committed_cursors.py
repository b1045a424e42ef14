"""What the relays committed last, read without becoming one of them."""

from collections.abc import Mapping

from attrs import frozen
from confluent_kafka import KafkaException, TopicPartition

from ....application.event_log.records import BUCKETS
from ....application.recovery.restore_guard import Committed
from ....domain.errors import StreamUnavailable
from ..client import BACKEND, OneThread, consumer, metadata, unavailable
from ..settings import KafkaSettings
from .offset_metadata import OffsetMetadata


@frozen
class KafkaCommittedCursors:
    """``timeout`` bounds, in seconds, each thing that is asked of Kafka."""

    settings: KafkaSettings
    buckets: int = BUCKETS
    timeout: float = 10.0

    async def committed(self) -> Mapping[int, Committed]:
        """Raises StreamUnavailable, also for a note that is not understood."""
        thread = OneThread("relay-cursors")
        try:
            return await thread(self._committed)
        finally:
            thread.close()

    def _committed(self) -> Mapping[int, Committed]:
        asking = consumer(self.settings, {"group.id": self.settings.relay_group})
        try:
            described = metadata(asking, self.settings.topic, self.timeout)
            if described.error is not None:
                raise KafkaException(described.error)
            asked = [TopicPartition(self.settings.topic, partition) for partition in described.partitions]
            answers = asking.committed(asked, timeout=self.timeout)
            for answer in answers:
                if answer.error is not None:  # which is not the same as none
                    raise KafkaException(answer.error)
        except KafkaException as error:
            raise unavailable("reading the relays' cursors", error, asking) from error
        finally:
            asking.close()
        found: dict[int, Committed] = {}
        for answer in answers:
            for bucket, at in self._of_note(answer).items() if answer.metadata else ():
                if bucket not in found or (at.epoch, at.position) > (found[bucket].epoch, found[bucket].position):
                    found[bucket] = at
        return found

    def _of_note(self, answer: TopicPartition) -> Mapping[int, Committed]:
        try:
            note = OffsetMetadata.read(answer.metadata or "", self.buckets)
        except ValueError as unknown:
            raise StreamUnavailable(BACKEND, f"a cursor of the relays is not understood: {unknown}") from unknown
        return {b: Committed(at, note.marks.get(b), note.epoch, answer.partition) for b, at in note.positions.items()}
