"""Finds the locations and timestamps of events on the topic."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from time import monotonic

from attrs import frozen
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from ...application.event_log.records import LogRecord, RecordLocation
from .. import wire
from .client import OneThread, admin, partitions, reader, unavailable
from .group_lag import high_watermarks
from .messages import headers_of
from .settings import KafkaSettings

_DEFAULTS = {"fetch.wait.max.ms": "100", "queued.max.messages.kbytes": "16384"}
_SKEW = timedelta(seconds=5)
"""The largest difference between the clocks of database and relay at which a record is still found."""
_BATCH = 500


@frozen
class KafkaRecordLocator:
    """Searches from the time at which each event was committed, for at most ``timeout`` seconds in total."""

    settings: KafkaSettings
    timeout: float = 10.0

    async def find(self, records: Sequence[LogRecord], since: Sequence[datetime]) -> Mapping[str, RecordLocation]:
        thread = OneThread("record-locator")
        try:
            return await thread(self._find, records, since)
        finally:
            thread.close()

    def _find(self, records: Sequence[LogRecord], since: Sequence[datetime]) -> Mapping[str, RecordLocation]:
        client = reader(self.settings, _DEFAULTS)
        try:
            numbers = sorted(partitions(client, self.settings.topic, self.timeout))
            ends = high_watermarks(admin(self.settings), self.settings.topic, numbers, self.timeout)
            search = _Search(self.settings.topic, client, monotonic() + self.timeout)
            # The partition of a relay is known. A record that was published directly is in the partition of its key.
            relayed = records[0].bucket % len(numbers)
            for partition in sorted(numbers, key=lambda each: each != relayed):
                missing = [
                    (each, at) for each, at in zip(records, since, strict=True) if each.event_id not in search.found
                ]
                if missing:
                    search.search(partition, ends[partition], missing)
            return search.found
        except KafkaException as error:
            raise unavailable(f"searching topic {self.settings.topic!r}", error) from error
        finally:
            client.close()


class _Search:
    def __init__(self, topic: str, client: Consumer, deadline: float) -> None:
        self.found: dict[str, RecordLocation] = {}
        self._topic = topic
        self._client = client
        self._deadline = deadline

    def search(self, partition: int, end: int, records: Sequence[tuple[LogRecord, datetime]]) -> None:
        """Search one partition forward. Records between the times of two events are skipped."""
        ids = {record.event_id for record, _ in records}
        at = -1
        for record, since in records:
            start = self._offset(partition, since - _SKEW, end)
            if start > at:
                self._client.assign([TopicPartition(self._topic, partition, start)])
                at = start
            while record.event_id not in self.found and at < end and monotonic() < self._deadline:
                for message in self._client.consume(_BATCH, 0.2):
                    at = max(at, (message.offset() or 0) + (message.error() is None))
                    self._collect(message, ids)

    def _offset(self, partition: int, since: datetime, end: int) -> int:
        requested = TopicPartition(self._topic, partition, max(0, int(since.timestamp() * 1000)))
        [result] = self._client.offsets_for_times([requested], max(0.1, self._deadline - monotonic()))
        return result.offset if result.offset >= 0 else end

    def _collect(self, message: Message, ids: set[str]) -> None:
        if message.error() is not None:
            return
        pairs = dict(headers_of(message) or ())
        header = pairs.get("ce_id")
        event_id = header.decode(errors="replace") if isinstance(header, bytes) else ""
        if event_id in ids:
            at = wire.time_of(message.timestamp()[1])
            location = RecordLocation(message.topic() or "", message.partition() or 0, message.offset() or 0, at)
            self.found.setdefault(event_id, location)
