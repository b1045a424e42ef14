"""Publishes copies of dead letters to a topic."""

import logging
from collections.abc import Sequence
from typing import Any

from attrs import define, field
from confluent_kafka import KafkaError, KafkaException, Message

from ...application.consuming.dead_letter import DeadLetter
from .. import wire
from .client import OneThread, ReportingProducer, producer, unavailable
from .client_errors import error_text
from .settings import KafkaSettings

_DEFAULTS = {"compression.type": "lz4", "linger.ms": "2"}
_MARGIN = 1.0

logger = logging.getLogger("orderflow.kafka")


@define(eq=False)
class KafkaDeadLetterTopic:
    """The topic of ``settings``. Key and value are those of the event; headers describe the failure.

    Kafka must acknowledge each record within ``timeout`` seconds. A record that is too large for the topic is logged
    and skipped, so that it does not block the others. Its dead letter is kept in the database, as are all others.
    """

    settings: KafkaSettings
    timeout: float = 10.0
    _thread: OneThread = field(factory=lambda: OneThread("dead-letters"), init=False)
    _producer: ReportingProducer | None = field(default=None, init=False)

    async def put(self, dead_letters: Sequence[DeadLetter]) -> None:
        await self._thread(self._put, dead_letters)

    async def close(self) -> None:
        """Stop the thread. No record is in flight, because ``put`` waits for all of its own."""
        self._producer = None
        self._thread.close()

    # The methods below run on the thread.

    def _put(self, dead_letters: Sequence[DeadLetter]) -> None:
        client = self._client()
        failures: list[KafkaException] = []
        for dead_letter in dead_letters:
            self._send(client, dead_letter, failures)
        if unsent := client.flush(self.timeout + _MARGIN):
            failures.append(KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT, f"{unsent} were not acknowledged")))
        if failures:
            self._producer = None  # what is still queued in it is not sent
            raise unavailable(f"copying to topic {self.settings.topic!r}", failures[0], client) from failures[0]

    def _send(self, client: ReportingProducer, dead_letter: DeadLetter, failures: list[KafkaException]) -> None:
        def on_error(error: KafkaException) -> None:
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                record = dead_letter.record
                logger.error(
                    "dead letter not copied",
                    extra={
                        "order_id": record.order_id,
                        "event_id": record.event_id,
                        "problem": error_text(error),
                    },
                )
            else:
                failures.append(error)

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                on_error(KafkaException(error))

        headers: Any = wire.dead_letter_headers(dead_letter, source=self.settings.source)
        try:
            client.produce(
                self.settings.topic,
                dead_letter.record.body,
                dead_letter.record.order_id,
                headers=headers,
                on_delivery=on_delivery,
            )
        except BufferError:  # the queue of the client is full
            failures.append(KafkaException(KafkaError(KafkaError._QUEUE_FULL)))
        except KafkaException as error:
            on_error(error)

    def _client(self) -> ReportingProducer:
        if self._producer is None:
            timeout = str(max(1, int(self.timeout * 1000)))
            required = {"enable.idempotence": "true", "message.timeout.ms": timeout}
            self._producer = producer(self.settings, required, _DEFAULTS)
        return self._producer
