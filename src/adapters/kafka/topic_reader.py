"""Reads the topic with read_committed isolation and without a consumer group."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import TypeVar

from attrs import define, field, frozen
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from ...application.event_log.records import LogRecord, UnrecognizedRecord
from ...application.recovery.skip_record import Places, no_places
from ..wire import ConsumedRecord
from .client import OneThread, ReportingConsumer, admin, partitions, reader, unavailable
from .group_lag import high_watermarks, low_watermarks
from .messages import consumed_record, record_of
from .settings import KafkaSettings
from .topic_admin import is_compacted

_DEFAULTS = {"fetch.wait.max.ms": "100", "queued.max.messages.kbytes": "16384", "queued.min.messages": "10000"}
_WAIT = 0.25
_LOST = "a broker that starts or stops named no brokers, so that this client connects to none any more"
T = TypeVar("T")


@frozen
class KafkaTopicReader:
    """Reads all of the topic without joining a group and without committing offsets.

    ``timeout`` limits each request to Kafka, in seconds, and the time that a scan waits for the next record. This
    includes waiting for open transactions: Kafka aborts an abandoned one within 20 seconds. ``skipped`` returns the
    places of the records of a topic that are skipped.
    """

    settings: KafkaSettings
    timeout: float = 30.0
    skipped: Callable[[str], Awaitable[Places]] = no_places

    @asynccontextmanager
    async def scan(self) -> AsyncIterator["KafkaTopicScan"]:
        """Open a scan of the records that are on the topic now. It waits for the end of open transactions.

        Raises StreamUnavailable.
        """
        skipped = await self.skipped(self.settings.topic)
        async with self._client() as (thread, client):
            spans = await thread(self._spans, client)
            compacted = await thread(is_compacted, self.settings, self.timeout)
            yield KafkaTopicScan(thread, client, spans, self.timeout, skipped, compacted)

    async def record_at(self, partition: int, offset: int) -> LogRecord | UnrecognizedRecord | None:
        """Return the record at this place, or None if there is none. Raises StreamUnavailable."""
        async with self._client() as (thread, client):
            for span in await thread(self._spans, client):
                if span.partition == partition and offset < span.end:
                    await thread(client.assign, [TopicPartition(span.topic, partition, offset)])
                    messages = await thread(_poll, client, 1, self.timeout)
                    found = [each for each in messages if each.error() is None and each.offset() == offset]
                    return record_of(found[0]) if found else None
        return None

    async def tail(self, *, from_beginning: bool = False) -> AsyncIterator[LogRecord | UnrecognizedRecord]:
        """Yield every record from the beginning, or every new one, without end. Added partitions are not noticed.

        Raises StreamUnavailable, StorageUnavailable.
        """
        skipped = await self.skipped(self.settings.topic)
        async with aclosing(self._batches(from_beginning)) as batches:
            async for messages, _ in batches:
                for message in _records(messages):
                    yield record_of(message, skipped)

    async def watch(
        self, *, from_beginning: bool = False
    ) -> AsyncGenerator[tuple[Sequence[ConsumedRecord], bool], None]:
        """Yield batches of records as ``tail`` does, valid or not, and whether every partition is being read.

        A batch is empty if no record arrived for a while. Raises StreamUnavailable, also if a partition does not
        respond within ``timeout``.
        """
        clock = asyncio.get_running_loop().time
        start_time = clock()
        async with aclosing(self._batches(from_beginning)) as batches:
            async for messages, unread in batches:
                if unread and clock() - start_time > self.timeout:
                    raise unavailable(f"reading partitions {sorted(unread)}", KafkaError(KafkaError._TIMED_OUT))
                yield [consumed_record(message) for message in _records(messages)], not unread

    async def _batches(self, from_beginning: bool) -> AsyncGenerator[tuple[Sequence[Message], set[int]], None]:
        """Yield batches, and the partitions from which neither a record nor their end was received yet."""
        async with self._client() as (thread, client):
            spans = await thread(self._spans, client)
            start = OFFSET_BEGINNING if from_beginning else OFFSET_END
            await thread(client.assign, [TopicPartition(span.topic, span.partition, start) for span in spans])
            unread = {span.partition for span in spans}
            while True:
                messages = await thread(_poll, client, 500, _WAIT)
                if client.brokers.lost:
                    raise unavailable("reading the topic", KafkaError(KafkaError._ALL_BROKERS_DOWN, _LOST))
                unread -= {message.partition() for message in messages}
                yield messages, unread

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[tuple[OneThread, ReportingConsumer]]:
        thread = OneThread("topic-reader")
        client = reader(self.settings, _DEFAULTS)
        try:
            yield thread, client
        finally:
            await thread(client.close)
            thread.close()

    def _spans(self, client: ReportingConsumer) -> list["_Span"]:
        topic = self.settings.topic
        try:
            numbers = partitions(client, topic, self.timeout)
            offsets = admin(self.settings)
            starts = low_watermarks(offsets, topic, numbers, self.timeout)
            ends = high_watermarks(offsets, topic, numbers, self.timeout)
        except KafkaException as error:
            raise unavailable(f"reading the metadata of topic {topic!r}", error, client) from error
        return [_Span(topic, partition, starts[partition], end) for partition, end in sorted(ends.items())]


@frozen
class _Span:
    topic: str
    partition: int
    start: int
    end: int


@define(eq=False)
class KafkaTopicScan:
    """Reads one partition after the other, each from its beginning to its end at the start of the scan."""

    _thread: OneThread
    _client: Consumer
    _spans: list[_Span]
    _timeout: float
    _skipped: Places = ()
    compacted: bool = False
    partition: int = field(default=0, init=False)
    partitions: int = field(init=False)
    shortened: Collection[int] = field(init=False)
    _current: _Span | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.partitions = len(self._spans)
        self.shortened = frozenset(span.partition for span in self._spans if span.start > 0)

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        """Read the next records, at most ``limit``. The result is empty at the end. Raises StreamUnavailable."""
        return await self._thread(self._read, limit, partial(record_of, skipped=self._skipped))

    async def records(self, limit: int) -> Sequence[ConsumedRecord]:
        """Read as ``read`` does, but return the records with their metadata, valid or not."""
        return await self._thread(self._read, limit, consumed_record)

    def _read(self, limit: int, convert: Callable[[Message], T]) -> Sequence[T]:
        while span := self._current or self._next_span():
            messages = _poll(self._client, limit, self._timeout)
            if not messages:
                raise unavailable("reading the topic", KafkaError(KafkaError._TIMED_OUT))
            records = [convert(each) for each in messages if each.error() is None and _offset(each) < span.end]
            if _offset(messages[-1]) + (messages[-1].error() is None) >= span.end:
                self._current = None
            if records:
                self.partition = span.partition
                return records
        return ()

    def _next_span(self) -> _Span | None:
        while self._spans:
            span = self._spans.pop(0)
            if span.end:
                self._current = span
                self._client.assign([TopicPartition(span.topic, span.partition, OFFSET_BEGINNING)])
                return span
        return None


def _poll(client: Consumer, limit: int, wait: float) -> list[Message]:
    """Wait for a message and return it with those that are already fetched. Raises StreamUnavailable."""
    first = client.poll(wait)
    messages = [] if first is None else [first, *(client.consume(limit - 1, 0) if limit > 1 else ())]
    for error in _errors(messages):
        raise unavailable("reading the topic", error)
    return messages


def _records(messages: Iterable[Message]) -> Iterable[Message]:
    return (message for message in messages if message.error() is None)


def _errors(messages: Iterable[Message]) -> list[KafkaError]:
    found = (message.error() for message in messages)
    return [error for error in found if error is not None and error.code() != KafkaError._PARTITION_EOF]


def _offset(message: Message) -> int:
    return message.offset() or 0
