"""The relay's transactional producer: records and offsets stand on the topic together, or not at all."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from time import monotonic
from uuid import uuid4

import structlog
from attrs import define, field
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from ....application.event_log.records import FIRST_EPOCH, LogRecord
from ....application.relay.ports import OnFlushed, noop
from ... import wire
from ..client import ReportingProducer, hear, producer, said, unavailable
from ..settings import KafkaSettings

_PREFERRED = {
    "compression.type": "lz4",
    "linger.ms": "2",  # with 0 the first records of a batch go one by one, and the others wait behind them
    "retry.backoff.ms": "5",  # librdkafka's 100 would cost every small transaction 100 ms
    "transaction.timeout.ms": "10000",
}
_ABORT_WITHIN = 3.0
_LATE = 1.0
"""Seconds after its own time-out when a call counts as one that never ends."""

_log = structlog.get_logger("orderflow.kafka")


@define(eq=False)
class RelayProducer:
    """For one thread. After an error it begins anew under another transactional id."""

    settings: KafkaSettings
    timeout: float
    _producer: ReportingProducer | None = field(default=None, init=False)

    def publish(
        self,
        records: Sequence[tuple[int, LogRecord]],
        notes: Mapping[int, str],
        membership: bytes,
        on_flushed: OnFlushed = noop,
        *,
        ends: Mapping[int, int],
        epoch: int = FIRST_EPOCH,
    ) -> None:
        """Records of that epoch, each with its partition, and the offset note of each partition, in one transaction.

        ``membership`` fences: nothing commits when the group has moved on since it was taken. A partition's offset
        is committed at its end, which ``ends`` names where no record is sent, so that tools show no lag.
        Raises StreamUnavailable; then the transaction was aborted, or Kafka aborts or commits it by itself.
        """
        try:
            producer = self._ready()
            producer.begin_transaction()
            reached = {**ends, **self._send(producer, records, epoch, on_flushed)}
            offsets = [TopicPartition(self.settings.topic, p, reached[p], note) for p, note in notes.items()]
            self._send_offsets(producer, offsets, membership)
            producer.commit_transaction(self.timeout)
        except KafkaException as error:
            told = unavailable(f"publishing {len(records)} records", error, self._producer)
            self._abandon(error)
            raise told from error

    def serve(self) -> None:
        """Hear what the client has to tell; while nothing is published it would pile up."""
        if self._producer is not None:
            hear(self._producer)

    def close(self) -> None:
        """Drop the producer; a transaction that is open is left to Kafka to abort."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _ready(self) -> ReportingProducer:
        if self._producer is None:
            name = f"{self.settings.relay_group}-{uuid4()}"
            fresh = producer(self.settings, {"transactional.id": name}, _PREFERRED, watched_as="relay")
            fresh.init_transactions(self.timeout)
            self._producer = fresh
        return self._producer

    def _send(
        self, producer: Producer, records: Sequence[tuple[int, LogRecord]], epoch: int, on_flushed: OnFlushed
    ) -> Mapping[int, int]:
        """Deliver ``records``; the end of each partition once the transaction's own marker stands there too."""
        last = {partition: at for at, (partition, _) in enumerate(records)}
        ends: dict[int, int] = {}
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            partition, offset = message.partition(), message.offset()
            if error is not None:
                failed.append(error)
            elif partition is not None and offset is not None:
                ends[partition] = offset + 2

        produce: Callable[..., None] = producer.produce
        topic, source, lasts = self.settings.topic, self.settings.source, set(last.values())
        for at, (partition, record) in enumerate(records):
            headers = wire.headers(record, source=source, epoch=epoch)
            tell = delivered if at in lasts else None
            while True:
                try:
                    produce(topic, record.body, record.order_id, partition, on_delivery=tell, headers=headers)
                    break
                except BufferError:  # the client's queue is full; it empties within message.timeout.ms
                    producer.poll(0.1)
        on_flushed()
        until = monotonic() + self.timeout
        while len(ends) < len(last):  # not flush(), which looks only every 10 ms
            producer.poll(max(0.0, until - monotonic()))
            if failed or monotonic() > until:
                raise KafkaException(failed[0] if failed else KafkaError(KafkaError._MSG_TIMED_OUT))
        return ends

    def _send_offsets(self, producer: Producer, offsets: list[TopicPartition], membership: bytes) -> None:
        """librdkafka itself may wait for ever here: https://github.com/confluentinc/librdkafka/issues/5456 and 5511.

        So it waits on a thread that can be left behind. What comes of it then is never committed.
        """
        failed: list[BaseException] = []
        ended = Event()

        def send() -> None:
            try:
                producer.send_offsets_to_transaction(offsets, membership, self.timeout)
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                failed.append(error)
            finally:
                ended.set()

        Thread(target=send, name="relay-offsets", daemon=True).start()
        if not ended.wait(self.timeout + _LATE):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "sending offsets does not come to an end"))
        if failed:
            raise failed[0]

    def _abandon(self, error: KafkaException) -> None:
        """Abort what can be aborted, so that nobody has to wait for it to time out."""
        if self._producer is None:
            return
        complaint = error.args[0]
        if self.settings.watch is not None:
            self.settings.watch.transaction_failed(complaint.name() if isinstance(complaint, KafkaError) else "")
        if not (isinstance(complaint, KafkaError) and complaint.fatal()):
            try:
                self._producer.abort_transaction(_ABORT_WITHIN)
            except KafkaException as refusal:
                _log.info("transaction left to time out", reason=said(refusal), after=said(error))
        self.close()
