"""The topic as any read-committed consumer sees it, without a consumer group."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

from attrs import define, field, frozen
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from ...application.event_log.records import LogRecord, UnrecognizedRecord
from ..wire import ConsumedRecord
from .client import OneThread, ReportingConsumer, admin, consumer, metadata, unavailable
from .group_lag import high_watermarks
from .messages import consumed_record, record_of
from .settings import KafkaSettings

_OURS = {"group.id": "orderflow-reader", "enable.partition.eof": "true", "auto.offset.reset": "earliest"}
_PREFERRED = {"fetch.wait.max.ms": "100", "queued.max.messages.kbytes": "16384", "queued.min.messages": "10000"}
_WAIT = 0.25
T = TypeVar("T")


@frozen
class KafkaTopicReader:
    """Reads all of the topic and leaves no trace: no membership, no offsets.

    ``timeout`` bounds, in seconds, each thing that is asked of Kafka, and how long a scan waits for the next record,
    so also for a transaction that is open: Kafka aborts one that its producer left within 20 seconds.
    """

    settings: KafkaSettings
    timeout: float = 30.0

    @asynccontextmanager
    async def scan(self) -> AsyncIterator["KafkaTopicScan"]:
        """What stands on the topic when the scan begins; of open transactions, what comes of them.

        Raises StreamUnavailable.
        """
        async with self._client() as (thread, client):
            yield KafkaTopicScan(thread, client, await thread(self._spans, client), self.timeout)

    async def tail(self, *, from_beginning: bool = False) -> AsyncIterator[LogRecord | UnrecognizedRecord]:
        """Every record from the beginning, or from now on, without end; partitions that are added later are not seen.

        Raises StreamUnavailable.
        """
        async with aclosing(self._flow(from_beginning)) as flow:
            async for messages, _ in flow:
                for message in _records(messages):
                    yield record_of(message)

    async def watch(
        self, *, from_beginning: bool = False
    ) -> AsyncGenerator[tuple[Sequence[ConsumedRecord], bool], None]:
        """As ``tail``, the records as they stand there, some at a time, none when none came for a while; and whether
        every partition is being read.

        Raises StreamUnavailable, also when a partition has not answered within ``timeout``.
        """
        now = asyncio.get_running_loop().time
        began = now()
        async with aclosing(self._flow(from_beginning)) as flow:
            async for messages, silent in flow:
                if silent and now() - began > self.timeout:
                    raise unavailable(f"reading partitions {sorted(silent)}", KafkaError(KafkaError._TIMED_OUT))
                yield [consumed_record(message) for message in _records(messages)], not silent

    async def _flow(self, from_beginning: bool) -> AsyncGenerator[tuple[Sequence[Message], set[int]], None]:
        """What comes, and the partitions that have answered neither with a record nor with their end."""
        async with self._client() as (thread, client):
            spans = await thread(self._spans, client)
            start = OFFSET_BEGINNING if from_beginning else OFFSET_END
            await thread(client.assign, [TopicPartition(span.topic, span.partition, start) for span in spans])
            silent = {span.partition for span in spans}
            while True:
                messages = await thread(_some, client, 500, _WAIT)
                silent -= {message.partition() for message in messages}
                yield messages, silent

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[tuple[OneThread, ReportingConsumer]]:
        thread = OneThread("topic-reader")
        client = consumer(self.settings, _OURS, _PREFERRED)
        try:
            yield thread, client
        finally:
            await thread(client.close)
            thread.close()

    def _spans(self, client: ReportingConsumer) -> list["_Span"]:
        topic = self.settings.topic
        try:
            described = metadata(client, topic, self.timeout)
            if described.error is not None:
                raise KafkaException(described.error)
            ends = high_watermarks(admin(self.settings), topic, described.partitions, self.timeout)
        except KafkaException as error:
            raise unavailable(f"looking at topic {topic!r}", error, client) from error
        return [_Span(topic, partition, end) for partition, end in sorted(ends.items())]


@frozen
class _Span:
    topic: str
    partition: int
    end: int


@define(eq=False)
class KafkaTopicScan:
    """One partition after the other, each from its beginning to where it ended when the scan began."""

    _thread: OneThread
    _client: Consumer
    _spans: list[_Span]
    _timeout: float
    _current: _Span | None = field(default=None, init=False)

    async def read(self, limit: int) -> Sequence[LogRecord | UnrecognizedRecord]:
        """The next records, at most ``limit``; empty at the end. Raises StreamUnavailable."""
        return await self._thread(self._read, limit, record_of)

    async def records(self, limit: int) -> Sequence[ConsumedRecord]:
        """As ``read``, the records as they stand there."""
        return await self._thread(self._read, limit, consumed_record)

    def _read(self, limit: int, read_as: Callable[[Message], T]) -> Sequence[T]:
        while span := self._current or self._next_span():
            messages = _some(self._client, limit, self._timeout)
            if not messages:
                raise unavailable("reading the topic", KafkaError(KafkaError._TIMED_OUT))
            records = [read_as(each) for each in messages if each.error() is None and _offset(each) < span.end]
            if _offset(messages[-1]) + (messages[-1].error() is None) >= span.end:
                self._current = None
            if records:
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


def _some(client: Consumer, limit: int, wait: float) -> list[Message]:
    """What is there, after waiting for the first. Raises StreamUnavailable."""
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
