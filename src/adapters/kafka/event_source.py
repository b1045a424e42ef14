"""A consumer's records from the topic, as a member of its consumer group."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import structlog
from attrs import define, field
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from ...application.event_log.records import LogRecord, Origin, UnrecognizedRecord
from .client import OneThread, ReportingConsumer, admin, consumer, said, unavailable
from .group_lag import high_watermarks
from .messages import record_of
from .settings import KafkaSettings

_PREFERRED = {
    "fetch.wait.max.ms": "100",
    "heartbeat.interval.ms": "1000",
    "queued.max.messages.kbytes": "16384",  # librdkafka would hold 64 MB of a backlog
    "queued.min.messages": "10000",
    "session.timeout.ms": "6000",
    "topic.metadata.refresh.interval.ms": "10000",
}
_log = structlog.get_logger("orderflow.kafka")


@define(eq=False)
class KafkaEventSource:
    """One member of the group of ``consumer`` (``<topic>-<consumer>`` unless ``group`` says otherwise).

    Reads what is committed, each partition in order. The group's offsets follow what is done, for the tools that
    show lag and for where a new member begins; what is a duplicate, the cursors in the database decide.
    ``poll_interval`` is how many seconds an idle ``read`` waits for news; ``timeout`` bounds, in seconds, what else is
    asked of Kafka.
    """

    settings: KafkaSettings
    consumer: str
    group: str = field(kw_only=True, default="")
    poll_interval: float = field(kw_only=True, default=0.25)
    timeout: float = field(kw_only=True, default=10.0)
    commit_failures: int = field(default=0, init=False)
    _thread: OneThread = field(init=False)
    _consumer: ReportingConsumer | None = field(default=None, init=False)
    _read: dict[int, int] = field(factory=dict, init=False)
    _done: dict[int, int] = field(factory=dict, init=False)
    _told: dict[int, int] = field(factory=dict, init=False)
    _rewound: bool = field(default=False, init=False)
    _stands_by: bool = field(default=False, init=False)
    _early: list[Message] = field(factory=list, init=False)
    _given: Sequence[LogRecord | UnrecognizedRecord] = field(default=(), init=False)
    _stood: Sequence[tuple[int, int]] = field(default=(), init=False)
    _origins: Mapping[tuple[int, int], Origin] | None = field(default=None, init=False)
    _trouble: KafkaError | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.group = self.group or self.settings.consumer_group(self.consumer)
        self._thread = OneThread(f"consumer-{self.consumer}")

    @property
    def partitions(self) -> tuple[int, ...]:
        """Those that are this member's now."""
        return tuple(sorted(self._read))

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        """The next records, at most ``limit``; empty when there is no news for a while.

        Serves the group's rebalances, so it has to be called at least every five minutes (``max.poll.interval.ms``).
        Raises StreamUnavailable; no record is passed over by that.
        """
        return await self._thread(self._next, limit)

    async def done(self) -> None:
        """All that was read is handled. Tells the group without waiting; a failure of that is counted and logged."""
        await self._thread(self._tell)

    async def rewind(self) -> None:
        """Read again what is not done; when asked a second time with nothing done between, from the beginning.

        Raises StreamUnavailable.
        """
        await self._thread(self._go_back)

    async def heard_out(self) -> Collection[int]:
        """Those of our partitions that are read to their end, with no transaction open. Raises StreamUnavailable."""
        return await self._thread(self._at_their_end)

    def origin(self, record: LogRecord) -> Origin | None:
        """Where ``record``, one of those that were read last, stands on the topic."""
        if self._origins is None:  # few batches are ever asked for these
            self._origins = {
                (each.bucket, each.position): Origin(self.settings.topic, partition, offset)
                for each, (partition, offset) in zip(self._given, self._stood, strict=True)
                if isinstance(each, LogRecord)
            }
        return self._origins.get(record.address)

    async def pause(self) -> None:
        """Stay a member of the group, with the partitions that are ours, and fetch nothing.

        Serves the group's rebalances as ``read`` does. Raises StreamUnavailable.
        """
        await self._thread(self._keep_the_place)

    async def close(self) -> None:
        """Tell the group what is done, and leave it."""
        await self._thread(self._leave)
        self._thread.close()

    # All below runs on the one thread.

    def _next(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        joined = self._member()
        if self._stands_by:
            self._stands_by = False
            joined.resume(self._partitions())
        if self._early:
            early, self._early = self._early, []
            return self._taken(early)
        first = joined.poll(self.poll_interval)  # consume() would wait until it has all
        messages = [first, *joined.consume(limit - 1, 0)] if first is not None and limit > 1 else [first]
        return self._taken(message for message in messages if message is not None)

    def _keep_the_place(self) -> None:
        joined = self._member()
        if not self._stands_by:
            self._stands_by = True
            joined.pause(self._partitions())
        if (message := joined.poll(0)) is not None:
            self._early.append(message)  # it was on its way already

    def _member(self) -> Consumer:
        """Ourselves in the group. Raises StreamUnavailable for what went wrong since the last time."""
        if self._consumer is None:
            self._consumer = self._joined()
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise unavailable(f"group {self.group}", trouble, self._consumer)
        return self._consumer

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self.settings.topic, partition) for partition in self._read]

    def _taken(self, messages: Iterable[Message]) -> Sequence[LogRecord | UnrecognizedRecord]:
        """Records, and how far they reach. An error among them is told next time: what came before it counts."""
        records: list[LogRecord | UnrecognizedRecord] = []
        stood: list[tuple[int, int]] = []
        for message in messages:
            error, partition, offset = message.error(), message.partition(), message.offset()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                self._trouble = error
            elif partition in self._read and offset is not None:
                if error is not None:  # the end, with the transactions' markers that stand before it
                    self._read[partition] = offset
                    continue
                self._read[partition] = offset + 1
                records.append(record_of(message))
                stood.append((partition, offset))
        self._given, self._stood, self._origins = records, stood, None
        return records

    def _tell(self) -> None:
        news = {p: at for p, at in self._read.items() if at >= 0 and at != self._done.get(p)}
        if not news or self._consumer is None:
            return
        self._done.update(news)
        self._rewound = False
        self._commit(self._consumer, news)

    def _commit(self, consumer: Consumer, offsets: dict[int, int]) -> None:
        """Waits for nothing, since an answer might never come."""
        told = [TopicPartition(self.settings.topic, p, at) for p, at in offsets.items()]
        try:
            consumer.commit(offsets=told, asynchronous=True)
        except KafkaException as error:
            self._untold(error)

    def _untold(self, error: KafkaException) -> None:
        self.commit_failures += 1
        _log.warning("group offsets not committed", group=self.group, problem=said(error))

    def _go_back(self) -> None:
        if self._consumer is None:
            return
        partitions = [TopicPartition(self.settings.topic, p) for p in self._read]
        starts = dict.fromkeys(self._read, OFFSET_BEGINNING) if self._rewound else dict(self._done)
        try:
            if unknown := [each for each in partitions if each.partition not in starts]:
                for answer in self._consumer.committed(unknown, timeout=self.timeout):
                    starts[answer.partition] = answer.offset if answer.offset >= 0 else OFFSET_BEGINNING
            for each in partitions:
                each.offset = starts[each.partition]
            # Assigned anew, for seek() is refused as long as a partition's fetching has not begun.
            self._consumer.incremental_unassign(partitions)
            self._consumer.incremental_assign(partitions)
        except KafkaException as error:
            raise unavailable("reading again", error, self._consumer) from error
        self._read = dict.fromkeys(self._read, -1)
        self._rewound = True

    def _at_their_end(self) -> Collection[int]:
        asking = admin(self.settings)
        try:
            ends = high_watermarks(asking, self.settings.topic, self._read, self.timeout) if self._read else {}
        except KafkaException as error:
            raise unavailable("asking where the topic ends", error, asking) from error
        return [partition for partition, end in ends.items() if self._read[partition] >= end]

    def _joined(self) -> ReportingConsumer:
        ours: dict[str, Any] = {
            "auto.offset.reset": "earliest",
            "enable.partition.eof": "true",
            "error_cb": self._noted,
            "group.id": self.group,
            "on_commit": self._committed,
            "partition.assignment.strategy": "cooperative-sticky",
        }
        joined = consumer(self.settings, ours, _PREFERRED, watched_as=self.consumer)
        joined.subscribe([self.settings.topic], on_assign=self._gained, on_revoke=self._gives_up, on_lost=self._lost)
        return joined

    def _leave(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
            self._early = []

    # Called by librdkafka within ``poll``, ``consume`` and ``close``, on the thread that calls them.

    def _gained(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._read.update({each.partition: -1 for each in partitions})
        consumer.incremental_assign(partitions)
        if self._stands_by:
            consumer.pause(partitions)

    def _gives_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Only what is not known to be committed is told once more: while Kafka stands still that takes very long."""
        given = {each.partition for each in partitions}
        if untold := {p: at for p, at in self._done.items() if p in given and at != self._told.get(p)}:
            self._commit(consumer, untold)
        self._lost(consumer, partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._read.pop(each.partition, None)
            self._done.pop(each.partition, None)
            self._told.pop(each.partition, None)
        self._early = [message for message in self._early if message.partition() in self._read]
        consumer.incremental_unassign(partitions)

    def _noted(self, error: KafkaError) -> None:
        self._trouble = error

    def _committed(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        if error is None:
            self._told.update({each.partition: each.offset for each in partitions if each.error is None})
        elif error.code() != KafkaError._NO_OFFSET:
            self._untold(KafkaException(error))
