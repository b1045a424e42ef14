"""Publishes records and commits offsets in one transaction."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from time import monotonic
from types import MappingProxyType
from uuid import uuid4

from attrs import define, field
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from ....application.event_log.records import FIRST_EPOCH, LogRecord
from ....application.noop import noop
from ....application.relay.ports import OnFlushed
from ....domain.text import counted
from ... import wire
from ..client import ReportingProducer, poll_errors, producer, unavailable
from ..client_errors import error_text
from ..settings import KafkaSettings

_DEFAULTS = {
    "compression.type": "lz4",
    "linger.ms": "0.5",  # with 0 the first records of a batch are sent one by one; with 2 a small one waits for nothing
    "retry.backoff.ms": "5",  # librdkafka's 100 would cost every small transaction 100 ms
    "transaction.timeout.ms": "10000",
}
_ABORT_TIMEOUT = 3.0
_CLIENT = "relay"
"""The name under which the producer reports its statistics."""
_MARKER = 1
"""Offsets that the end of a transaction takes in each partition."""
_HANG_MARGIN = 1.0
"""Seconds beyond its own timeout after which a call is considered hung."""

logger = logging.getLogger("orderflow.kafka")


@define(eq=False)
class RelayProducer:
    """A producer for use on one thread. After an error it is replaced, with a new transactional id."""

    settings: KafkaSettings
    timeout: float
    _producer: ReportingProducer | None = field(default=None, init=False)
    _ends: Mapping[int, int] = field(factory=dict, init=False)
    """The ends of the partitions after their last transactions, in the generation of ``_membership``."""
    _membership: bytes = field(default=b"", init=False)

    def publish(
        self,
        records: Sequence[LogRecord],
        metadata: Mapping[int, str],
        membership: bytes,
        on_flushed: OnFlushed = noop,
        *,
        partitions: int,
        ends: Mapping[int, int] = MappingProxyType({}),
        epoch: int = FIRST_EPOCH,
    ) -> None:
        """Publish records, each to the one of ``partitions`` of its bucket, and offset metadata, in one transaction.

        ``membership`` is for fencing: the transaction fails if the generation of the group has changed. The committed
        offset is the end of the partition, so that tools show no lag; ``ends`` has it if no record is sent.
        Raises StreamUnavailable. The transaction is then aborted, or Kafka aborts or commits it later.
        """
        try:
            producer = self._ready()
            producer.begin_transaction()
            if membership != self._membership:  # other relays may have written since
                self._membership, self._ends = membership, {}
            expected = self._expected_ends(records, partitions)
            if expected.keys() >= metadata.keys():
                sent = self._send_offsets(producer, expected, metadata, membership)
                try:
                    reached = self._send(producer, records, partitions, epoch, on_flushed)
                except KafkaException:
                    with suppress(KafkaException):  # it fails because of the records, which say why
                        sent()
                    raise
                sent()
            else:
                reached = {**ends, **self._send(producer, records, partitions, epoch, on_flushed)}
                self._send_offsets(producer, reached, metadata, membership)()
            after, self._ends = {**self._ends, **reached}, {}
            producer.commit_transaction(self.timeout)
            self._ends = after
        except KafkaException as error:
            unavailable_error = unavailable(f"publishing {counted(len(records), 'record')}", error, self._producer)
            self._abort(error)
            raise unavailable_error from error

    def poll(self) -> None:
        """Let the client report its errors, which would accumulate if nothing is published."""
        if self._producer is not None:
            poll_errors(self._producer)

    def close(self) -> None:
        """Discard the producer. Kafka aborts an open transaction."""
        if self._producer is not None:
            self._producer.purge()
            self._producer, self._ends = None, {}
            if self.settings.observer is not None:
                self.settings.observer.closed(_CLIENT)

    def _ready(self) -> ReportingProducer:
        if self._producer is None:
            name = f"{self.settings.relay_group}-{uuid4()}"
            created = producer(self.settings, {"transactional.id": name}, _DEFAULTS, statistics_name=_CLIENT)
            created.init_transactions(self.timeout)
            self._producer = created
        return self._producer

    def _send(
        self, producer: Producer, records: Sequence[LogRecord], partitions: int, epoch: int, on_flushed: OnFlushed
    ) -> Mapping[int, int]:
        """Deliver ``records``. Return the end of each partition, the marker of this transaction included."""
        last = {record.bucket % partitions: index for index, record in enumerate(records)}
        ends: dict[int, int] = {}
        failed: list[KafkaError] = []

        def record_offset(error: KafkaError | None, message: Message) -> None:
            partition, offset = message.partition(), message.offset()
            if error is not None:
                failed.append(error)
            elif partition is not None and offset is not None:
                ends[partition] = offset + 1 + _MARKER

        produce: Callable[..., None] = producer.produce
        topic, source, lasts = self.settings.topic, self.settings.source, set(last.values())
        for index, record in enumerate(records):
            headers = wire.header_texts(record, source=source, epoch=epoch)
            on_delivery = record_offset if index in lasts else None
            partition = record.bucket % partitions
            while True:
                try:
                    produce(topic, record.body, record.order_id, partition, on_delivery=on_delivery, headers=headers)
                    break
                except BufferError:  # the queue of the client is full; it is drained within message.timeout.ms
                    producer.poll(0.1)
        on_flushed()
        deadline = monotonic() + self.timeout
        while len(ends) < len(last):  # not flush(), which polls only every 10 ms
            producer.poll(max(0.0, deadline - monotonic()))
            if failed or monotonic() > deadline:
                raise KafkaException(failed[0] if failed else KafkaError(KafkaError._MSG_TIMED_OUT))
        return ends

    def _expected_ends(self, records: Sequence[LogRecord], partitions: int) -> Mapping[int, int]:
        """Return the ends of the partitions after ``records``, if there is no other writer and the ends are known now.

        With that the offsets are sent while the records are acknowledged. If there is another writer, they are too
        low until the next transaction, which only tools see: the cursors are in the metadata.
        """
        counts = Counter(record.bucket % partitions for record in records)
        return {p: self._ends[p] + count + _MARKER for p, count in counts.items() if p in self._ends}

    def _send_offsets(
        self, producer: Producer, ends: Mapping[int, int], metadata: Mapping[int, str], membership: bytes
    ) -> Callable[[], None]:
        """Send the offsets on a separate thread, which can be abandoned if the call hangs; return how to wait for it.

        librdkafka may hang here: https://github.com/confluentinc/librdkafka/issues/5456 and 5511. The transaction of
        an abandoned call is never committed.
        """
        offsets = [TopicPartition(self.settings.topic, p, ends[p], text) for p, text in metadata.items()]
        sent: Future[None] = Future()

        def send() -> None:
            try:
                producer.send_offsets_to_transaction(offsets, membership, self.timeout)
                sent.set_result(None)
            except BaseException as error:  # noqa: BLE001 - it is raised by the waiting thread
                sent.set_exception(error)

        def wait() -> None:
            try:
                sent.result(self.timeout + _HANG_MARGIN)
            except TimeoutError as error:
                problem = KafkaError(KafkaError._TIMED_OUT, "sending the offsets did not finish")
                raise KafkaException(problem) from error

        Thread(target=send, name="relay-offsets", daemon=True).start()
        return wait

    def _abort(self, error: KafkaException) -> None:
        """Abort the transaction if possible, so that no reader waits for its timeout, and discard the producer."""
        if self._producer is None:
            return
        cause = error.args[0]
        if self.settings.observer is not None:
            self.settings.observer.transaction_failed(cause.name() if isinstance(cause, KafkaError) else "")
        if not (isinstance(cause, KafkaError) and cause.fatal()):
            try:
                self._producer.abort_transaction(_ABORT_TIMEOUT)
            except KafkaException as failure:
                logger.info(
                    "transaction not aborted; Kafka will time it out",
                    extra={"reason": error_text(failure), "after": error_text(error)},
                )
        self.close()
