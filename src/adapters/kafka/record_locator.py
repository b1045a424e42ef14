"""Where events stand on the topic, and since when."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from time import monotonic

from attrs import frozen
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from ...application.event_log.records import LogRecord, RecordLocation
from .client import OneThread, admin, consumer, unavailable
from .group_lag import high_watermarks
from .settings import KafkaSettings

_OURS = {"group.id": "orderflow-reader", "enable.partition.eof": "true", "auto.offset.reset": "earliest"}
_PREFERRED = {"fetch.wait.max.ms": "100", "queued.max.messages.kbytes": "16384"}
_SKEW = timedelta(seconds=5)
"""By how much the clocks of a database and a relay may differ, so that a record is still found."""
_AT_ONCE = 500


@frozen
class KafkaRecordLocator:
    """Looks from the time on that each event was committed, for at most ``timeout`` seconds in all."""

    settings: KafkaSettings
    timeout: float = 10.0

    async def find(self, records: Sequence[LogRecord], since: Sequence[datetime]) -> Mapping[str, RecordLocation]:
        thread = OneThread("topic-places")
        try:
            return await thread(self._find, records, since)
        finally:
            thread.close()

    def _find(self, records: Sequence[LogRecord], since: Sequence[datetime]) -> Mapping[str, RecordLocation]:
        client = consumer(self.settings, _OURS, _PREFERRED)
        try:
            partitions = self._partitions(client)
            ends = high_watermarks(admin(self.settings), self.settings.topic, partitions, self.timeout)
            search = _Search(self.settings.topic, client, monotonic() + self.timeout)
            # A relay's partition is known; a record that was sent directly lies where its key took it.
            relayed = records[0].bucket % len(partitions)
            for partition in sorted(partitions, key=lambda it: it != relayed):
                missing = [(it, at) for it, at in zip(records, since, strict=True) if it.event_id not in search.found]
                if missing:
                    search.through(partition, ends[partition], missing)
            return search.found
        except KafkaException as error:
            raise unavailable(f"looking at topic {self.settings.topic!r}", error) from error
        finally:
            client.close()

    def _partitions(self, client: Consumer) -> list[int]:
        described = client.list_topics(self.settings.topic, timeout=self.timeout).topics[self.settings.topic]
        if described.error is not None:
            raise KafkaException(described.error)
        return sorted(described.partitions)


class _Search:
    def __init__(self, topic: str, client: Consumer, until: float) -> None:
        self.found: dict[str, RecordLocation] = {}
        self._topic = topic
        self._client = client
        self._until = until

    def through(self, partition: int, end: int, wanted: Sequence[tuple[LogRecord, datetime]]) -> None:
        """One partition, forward; what lies between two of these in time is passed over."""
        ids = {record.event_id for record, _ in wanted}
        at = -1
        for record, since in wanted:
            start = self._offset(partition, since - _SKEW, end)
            if start > at:
                self._client.assign([TopicPartition(self._topic, partition, start)])
                at = start
            while record.event_id not in self.found and at < end and monotonic() < self._until:
                for message in self._client.consume(_AT_ONCE, 0.2):
                    at = max(at, (message.offset() or 0) + (message.error() is None))
                    self._note(message, ids)

    def _offset(self, partition: int, since: datetime, end: int) -> int:
        asked = TopicPartition(self._topic, partition, max(0, int(since.timestamp() * 1000)))
        [answer] = self._client.offsets_for_times([asked], max(0.1, self._until - monotonic()))
        return answer.offset if answer.offset >= 0 else end

    def _note(self, message: Message, ids: set[str]) -> None:
        if message.error() is not None:
            return
        pairs = dict(message.headers() or ())
        said = pairs.get("ce_id")
        event_id = said.decode(errors="replace") if isinstance(said, bytes) else ""
        if event_id in ids:
            moment = datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
            place = RecordLocation(message.topic() or "", message.partition() or 0, message.offset() or 0, moment)
            self.found.setdefault(event_id, place)
