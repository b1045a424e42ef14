"""The topic on which copies of parked events stand."""

from collections.abc import Sequence
from typing import Any

import structlog
from attrs import define, field
from confluent_kafka import KafkaError, KafkaException, Message

from ...application.consuming.dead_letter import DeadLetter
from .. import wire
from .client import OneThread, ReportingProducer, producer, said, unavailable
from .settings import KafkaSettings

_PREFERRED = {"compression.type": "lz4", "linger.ms": "2"}
_MARGIN = 1.0

_log = structlog.get_logger("orderflow.kafka")


@define(eq=False)
class KafkaDeadLetterTopic:
    """The topic of ``settings``: key and value as the events have them, what happened to them in headers.

    Kafka has to acknowledge each within ``timeout`` seconds. One that is too large for the topic is told in the log and
    left out, so that it does not keep back the others; it stays among the dead letters, as all of them do.
    """

    settings: KafkaSettings
    timeout: float = 10.0
    _thread: OneThread = field(factory=lambda: OneThread("dead-letters"), init=False)
    _producer: ReportingProducer | None = field(default=None, init=False)

    async def put(self, letters: Sequence[DeadLetter]) -> None:
        await self._thread(self._put, letters)

    async def close(self) -> None:
        """Nothing is on its way: whoever puts something waits for it."""
        self._producer = None
        self._thread.close()

    # All below runs on the one thread.

    def _put(self, letters: Sequence[DeadLetter]) -> None:
        client = self._client()
        failures: list[KafkaException] = []
        for letter in letters:
            self._send(client, letter, failures)
        if unsent := client.flush(self.timeout + _MARGIN):
            failures.append(KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT, f"{unsent} were not acknowledged")))
        if failures:
            self._producer = None  # whatever it still has to send is not sent by it
            raise unavailable(f"copying to topic {self.settings.topic!r}", failures[0], client) from failures[0]

    def _send(self, client: ReportingProducer, letter: DeadLetter, failures: list[KafkaException]) -> None:
        def failed(error: KafkaException) -> None:
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                at = letter.record
                _log.error("dead letter not copied", order_id=at.order_id, event_id=at.event_id, problem=said(error))
            else:
                failures.append(error)

        def reported(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed(KafkaException(error))

        headers: Any = wire.dead_letter_headers(letter, source=self.settings.source)
        try:
            client.produce(
                self.settings.topic, letter.record.body, letter.record.order_id, headers=headers, on_delivery=reported
            )
        except KafkaException as error:
            failed(error)

    def _client(self) -> ReportingProducer:
        if self._producer is None:
            timeout = str(max(1, int(self.timeout * 1000)))
            ours = {"enable.idempotence": "true", "message.timeout.ms": timeout}
            self._producer = producer(self.settings, ours, _PREFERRED)
        return self._producer
