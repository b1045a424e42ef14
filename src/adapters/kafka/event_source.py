"""Reads a consumer's records from the topic as a member of its consumer group."""

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from threading import Thread
from typing import Any

from attrs import define, field
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from ...application.event_log.records import LogRecord, Origin, UnrecognizedRecord
from ...application.recovery.skip_record import Places, no_places
from .client import OneThread, ReportingConsumer, admin, consumer, unavailable
from .client_errors import error_text
from .group_lag import high_watermarks
from .messages import record_of
from .settings import KafkaSettings

_DEFAULTS = {
    "fetch.wait.max.ms": "100",
    "heartbeat.interval.ms": "1000",
    "queued.max.messages.kbytes": "16384",  # librdkafka's default of 64 MB is too much for a backlog
    "queued.min.messages": "10000",
    "session.timeout.ms": "6000",
    "topic.metadata.refresh.interval.ms": "10000",
}
logger = logging.getLogger("orderflow.kafka")


@define(eq=False)
class KafkaEventSource:
    """One member of the consumer group of ``consumer``, which is ``<topic>-<consumer>`` unless ``group`` is set.

    Reads committed records, each partition in order. Handled records are committed as the group's offsets, which
    determine where a new member starts and which lag other tools show. Duplicates are detected by the cursors in the
    database and not by these offsets. ``poll_interval`` is the number of seconds that an idle ``read`` waits for
    records. ``timeout`` is the limit, in seconds, for every other request to Kafka. ``skipped`` returns the places of
    the records of a topic that are skipped, and is called before the first read and after each rewind.
    """

    settings: KafkaSettings
    consumer: str
    group: str = field(kw_only=True, default="")
    poll_interval: float = field(kw_only=True, default=0.25)
    timeout: float = field(kw_only=True, default=10.0)
    skipped: Callable[[str], Awaitable[Places]] = field(kw_only=True, default=no_places)
    _thread: OneThread = field(init=False)
    _consumer: ReportingConsumer | None = field(default=None, init=False)
    _read_offsets: dict[int, int] = field(factory=dict, init=False)
    _handled_offsets: dict[int, int] = field(factory=dict, init=False)
    _committed_offsets: dict[int, int] = field(factory=dict, init=False)
    _rewound: bool = field(default=False, init=False)
    _paused: bool = field(default=False, init=False)
    _buffered: list[Message] = field(factory=list, init=False)
    _last_records: Sequence[LogRecord | UnrecognizedRecord] = field(default=(), init=False)
    _last_offsets: Sequence[tuple[int, int]] = field(default=(), init=False)
    _origins: Mapping[tuple[int, int], Origin] | None = field(default=None, init=False)
    _error: KafkaError | None = field(default=None, init=False)
    _skipped: Places | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.group = self.group or self.settings.consumer_group(self.consumer)
        self._thread = OneThread(f"consumer-{self.consumer}")

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions that are assigned to this member."""
        return tuple(sorted(self._read_offsets))

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        """Read the next records, at most ``limit``. The result is empty if none arrive within ``poll_interval``.

        Takes part in the group's rebalances, so it must be called at least every five minutes
        (``max.poll.interval.ms``). Raises StreamUnavailable, StorageUnavailable; no record is skipped by that.
        """
        if self._skipped is None:
            self._skipped = await self.skipped(self.settings.topic)
        return await self._thread(self._read_batch, limit)

    async def done(self) -> None:
        """Commit the offsets of all records that were read, without waiting. A failure is counted and logged."""
        await self._thread(self._commit_handled)

    async def rewind(self) -> None:
        """Continue after the last handled record; from the beginning if nothing was handled since the last rewind.

        Raises StreamUnavailable.
        """
        self._skipped = None
        await self._thread(self._rewind)

    async def heard_out(self) -> Collection[int]:
        """Return the assigned partitions that were read to their end and have no open transaction.

        Raises StreamUnavailable.
        """
        return await self._thread(self._partitions_at_end)

    def origin(self, record: LogRecord) -> Origin | None:
        """Return the location on the topic of a record of the last batch."""
        if self._origins is None:  # computed on demand, because few batches need them
            self._origins = {
                (each.bucket, each.position): Origin(self.settings.topic, partition, offset)
                for each, (partition, offset) in zip(self._last_records, self._last_offsets, strict=True)
                if isinstance(each, LogRecord)
            }
        return self._origins.get(record.address)

    async def pause(self) -> None:
        """Stay in the group, keep the assigned partitions, and fetch nothing.

        Takes part in the group's rebalances, as ``read`` does. Raises StreamUnavailable.
        """
        await self._thread(self._pause)

    async def close(self) -> None:
        """Commit the handled offsets and leave the group."""
        await self._thread(self._close)
        self._thread.close()

    # The methods below run on the thread.

    def _read_batch(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        consumer = self._joined_consumer()
        if self._paused:
            self._paused = False
            consumer.resume(self._partitions())
        if self._buffered:
            early, self._buffered = self._buffered, []
            return self._accept(early)
        first = consumer.poll(self.poll_interval)  # consume() would wait for the whole batch
        messages = [first, *consumer.consume(limit - 1, 0)] if first is not None and limit > 1 else [first]
        return self._accept(message for message in messages if message is not None)

    def _pause(self) -> None:
        consumer = self._joined_consumer()
        if not self._paused:
            self._paused = True
            consumer.pause(self._partitions())
        if (message := consumer.poll(0)) is not None:
            self._buffered.append(message)  # it was fetched before the pause

    def _joined_consumer(self) -> Consumer:
        """Return the consumer, which joins the group first. Raises StreamUnavailable for an error reported since."""
        if self._consumer is not None and self._consumer.brokers.lost:
            self._abandon(self._consumer)
        if self._consumer is None:
            self._consumer = self._join()
        error, self._error = self._error, None
        if error is not None:
            raise unavailable(f"group {self.group}", error, self._consumer)
        return self._consumer

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self.settings.topic, partition) for partition in self._read_offsets]

    def _accept(self, messages: Iterable[Message]) -> Sequence[LogRecord | UnrecognizedRecord]:
        """Return the records, and keep their offsets. An error among them is raised by the next call."""
        records: list[LogRecord | UnrecognizedRecord] = []
        offsets: list[tuple[int, int]] = []
        for message in messages:
            error, partition, offset = message.error(), message.partition(), message.offset()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                self._error = error
            elif partition in self._read_offsets and offset is not None:
                if error is not None:  # the end of the partition, after the markers of transactions
                    self._read_offsets[partition] = offset
                    continue
                self._read_offsets[partition] = offset + 1
                records.append(record_of(message, self._skipped or ()))
                offsets.append((partition, offset))
        self._last_records, self._last_offsets, self._origins = records, offsets, None
        return records

    def _commit_handled(self) -> None:
        new = {p: at for p, at in self._read_offsets.items() if at >= 0 and at != self._handled_offsets.get(p)}
        if not new or self._consumer is None:
            return
        self._handled_offsets.update(new)
        self._rewound = False
        self._commit(self._consumer, new)

    def _commit(self, consumer: Consumer, offsets: dict[int, int]) -> None:
        """Commit asynchronously, because a response may never arrive."""
        positions = [TopicPartition(self.settings.topic, p, at) for p, at in offsets.items()]
        try:
            consumer.commit(offsets=positions, asynchronous=True)
        except KafkaException as error:
            self._commit_failed(error)

    def _commit_failed(self, error: KafkaException) -> None:
        logger.warning("group offsets not committed", extra={"group": self.group, "problem": error_text(error)})

    def _rewind(self) -> None:
        if self._consumer is None:
            return
        partitions = [TopicPartition(self.settings.topic, p) for p in self._read_offsets]
        starts = dict.fromkeys(self._read_offsets, OFFSET_BEGINNING) if self._rewound else dict(self._handled_offsets)
        try:
            if unknown := [each for each in partitions if each.partition not in starts]:
                for answer in self._consumer.committed(unknown, timeout=self.timeout):
                    starts[answer.partition] = answer.offset if answer.offset >= 0 else OFFSET_BEGINNING
            for each in partitions:
                each.offset = starts[each.partition]
            # Unassign and assign instead of seek(), which fails until a partition is being fetched.
            self._consumer.incremental_unassign(partitions)
            self._consumer.incremental_assign(partitions)
        except KafkaException as error:
            raise unavailable("rewinding", error, self._consumer) from error
        self._read_offsets = dict.fromkeys(self._read_offsets, -1)
        self._buffered.clear()  # they are fetched again, after those before them
        self._rewound = True

    def _partitions_at_end(self) -> Collection[int]:
        client = admin(self.settings)
        try:
            topic, read = self.settings.topic, self._read_offsets
            ends = high_watermarks(client, topic, read, self.timeout) if read else {}
        except KafkaException as error:
            raise unavailable("reading the end offsets of the topic", error, client) from error
        return [partition for partition, end in ends.items() if self._read_offsets[partition] >= end]

    def _join(self) -> ReportingConsumer:
        required: dict[str, Any] = {
            "auto.offset.reset": "earliest",
            "enable.partition.eof": "true",
            "error_cb": self._on_error,
            "group.id": self.group,
            "on_commit": self._on_commit,
            "partition.assignment.strategy": "cooperative-sticky",
        }
        client = consumer(self.settings, required, _DEFAULTS, statistics_name=self.consumer)
        client.subscribe(
            [self.settings.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        return client

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
            self._forget_partitions()

    def _abandon(self, lost: ReportingConsumer) -> None:
        """Forget a consumer without brokers. Nothing waits until it is closed: its commits have to time out first."""
        self._consumer = self._error = None
        self._forget_partitions()
        Thread(target=lost.close, name=f"closing-{self.consumer}", daemon=True).start()

    def _forget_partitions(self) -> None:
        for each in (self._read_offsets, self._handled_offsets, self._committed_offsets, self._buffered):
            each.clear()
        if self.settings.observer is not None:
            self.settings.observer.closed(self.consumer)

    # librdkafka calls the methods below within ``poll``, ``consume`` and ``close``, on the calling thread.
    # That of an abandoned consumer is another one.

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._read_offsets.update({each.partition: -1 for each in partitions})
        consumer.incremental_assign(partitions)
        # librdkafka remembers a partition that was paused when it was revoked, and would fetch nothing from it again.
        (consumer.pause if self._paused else consumer.resume)(partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Commit again only what is not known to be committed. That takes long if Kafka does not respond."""
        if consumer is not self._consumer:
            return
        revoked = {each.partition for each in partitions}
        handled = {p: at for p, at in self._handled_offsets.items() if p in revoked}
        if uncommitted := {p: at for p, at in handled.items() if at != self._committed_offsets.get(p)}:
            self._commit(consumer, uncommitted)
        self._on_lost(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        for each in partitions:
            self._read_offsets.pop(each.partition, None)
            self._handled_offsets.pop(each.partition, None)
            self._committed_offsets.pop(each.partition, None)
        self._buffered = [message for message in self._buffered if message.partition() in self._read_offsets]
        consumer.incremental_unassign(partitions)

    def _on_error(self, error: KafkaError) -> None:
        self._error = error

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        if error is None:
            self._committed_offsets.update({each.partition: each.offset for each in partitions if each.error is None})
        elif error.code() != KafkaError._NO_OFFSET:
            self._commit_failed(KafkaException(error))
