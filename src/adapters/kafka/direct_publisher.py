"""Publishes events directly to Kafka after the commit, without a relay: at most once. It never fails a command."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from time import perf_counter
from typing import Any

from attrs import define, field, frozen
from confluent_kafka import KafkaError, KafkaException, Message

from ...application.event_log.records import BUCKETS, LogRecord, all_buckets, bucket_of
from ...application.orders.write_set import WriteSet
from ...domain.errors import StorageUnavailable
from ...domain.events import OrderEvent
from .. import wire
from ..wire.headers import ADDRESS
from .client import ReportingProducer, producer
from .client_errors import error_text
from .settings import KafkaSettings

_DEFAULTS = {"compression.type": "lz4", "linger.ms": "2"}
_CLIENT = "direct"
"""The name under which the producer reports its statistics."""
_MARGIN = 1.0
_UNKNOWN = "Kafka did not respond in time"

logger = logging.getLogger("orderflow.kafka")


@frozen
class KafkaEventPublisher:
    """Adds events to the write set, like every publisher, and sends them to Kafka after the commit."""

    direct: "DirectPublishing"
    writes: WriteSet

    def publish(self, *events: OrderEvent) -> None:
        if events and not self.writes.events:
            self.writes.after_commit.append(self._send)
        self.writes.events.extend(events)

    async def _send(self) -> None:
        await self.direct.send(self.writes)


@define(eq=False)
class DirectPublishing:
    """Publishes to the topic without a relay. ``publisher`` creates the ``events`` of a unit of work.

    An event is delivered within ``timeout`` seconds or dropped. A dropped event is counted in ``failed`` and logged as
    an error with its id and its order; the event log still contains it. ``sent`` counts the events that Kafka has
    acknowledged. Events of an order that two processes change at the same time may be published out of order. The
    records have all headers except the address in the log (``bucket``, ``position``, ``epoch``), which only a relay
    writes. Therefore the built-in consumers read the log and not the topic. Only events in the buckets below ``share``
    are sent. ``held`` counts the others, which are not sent later; neither are those that failed.

    ``on_published`` is called after each unit of work with its records, whether each was delivered, and the seconds
    that it took.
    """

    settings: KafkaSettings
    timeout: float = 2.0
    share: Callable[[], Awaitable[int]] = all_buckets
    on_published: Callable[[Sequence[LogRecord], Sequence[bool], float], None] | None = None
    sent: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    held: int = field(default=0, init=False)
    _last_share: int = field(default=0, init=False)
    _producer: ReportingProducer | None = field(default=None, init=False)
    _poller: Thread | None = field(default=None, init=False)
    _closing: Event = field(factory=Event, init=False)

    def publisher(self, writes: WriteSet) -> KafkaEventPublisher:
        """Return the publisher of one unit of work."""
        return KafkaEventPublisher(self, writes)

    async def send(self, writes: WriteSet) -> None:
        """Send the events of a committed unit of work. On return, each is delivered, held or dropped."""
        share = await self._current_share()
        records = [
            wire.record(
                event,
                bucket=bucket_of(event.order_id, BUCKETS),
                position=0,
                correlation_id=writes.request.correlation_id,
                traceparent=writes.request.traceparent,
            )
            for event in writes.events
            if bucket_of(event.order_id, BUCKETS) < share
        ]
        self.held += len(writes.events) - len(records)
        began = perf_counter()
        delivered = await asyncio.gather(*[self._is_delivered(record, self._produce(record)) for record in records])
        if self.on_published is not None and records:
            self.on_published(records, delivered, perf_counter() - began)

    async def close(self) -> None:
        """Send what is still queued, for at most ``timeout`` seconds and one."""
        if self._producer is not None and self._poller is not None:
            await asyncio.to_thread(self._producer.flush, self.timeout + _MARGIN)
            self._closing.set()
            await asyncio.to_thread(self._poller.join)
            self._producer = self._poller = None
            if self.settings.observer is not None:
                self.settings.observer.closed(_CLIENT)

    async def _current_share(self) -> int:
        """Return the current share, or the last known one if the database is unavailable."""
        try:
            self._last_share = await self.share()
        except StorageUnavailable as error:
            logger.warning(
                "the publishing share could not be read", extra={"buckets": self._last_share, "problem": str(error)}
            )
        return self._last_share

    def _produce(self, record: LogRecord) -> "asyncio.Future[str]":
        """Produce ``record``. The result is the problem of its delivery, or an empty text if it was delivered."""
        loop = asyncio.get_running_loop()
        problem: asyncio.Future[str] = loop.create_future()
        client = self._client()

        def settle(text: str) -> None:
            if not problem.done():
                problem.set_result(text)

        def on_delivery(error: KafkaError | None, _: Message) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(settle, client.client_errors.explain(error) if error is not None else "")

        texts = wire.header_texts(record, source=self.settings.source)
        headers: Any = {name: text for name, text in texts.items() if name not in ADDRESS}
        try:
            client.produce(self.settings.topic, record.body, record.order_id, headers=headers, on_delivery=on_delivery)
        except (BufferError, KafkaException) as error:
            settle(error_text(error) if isinstance(error, KafkaException) else str(error))
        return problem

    async def _is_delivered(self, record: LogRecord, delivery: "asyncio.Future[str]") -> bool:
        """Wait for the delivery, and count and log its result."""
        try:
            async with asyncio.timeout(self.timeout + _MARGIN):
                problem = await delivery
        except TimeoutError:
            client = self._producer
            problem = (
                await asyncio.to_thread(client.client_errors.recent_problem) if client is not None else ""
            ) or _UNKNOWN
        if not problem:
            self.sent += 1
            return True
        self.failed += 1
        logger.error(
            "event not published",
            extra={
                "event_id": record.event_id,
                "order_id": record.order_id,
                "type": record.type,
                "problem": problem,
            },
        )
        return False

    def _client(self) -> ReportingProducer:
        """Return the producer. Replace it if a fatal error has ended it, or if it has lost all its brokers."""
        if self._producer is None or self._poller is None or not self._poller.is_alive():
            self._closing.clear()
            timeout = str(max(1, int(self.timeout * 1000)))
            self._producer = producer(
                self.settings,
                {"enable.idempotence": "true", "message.timeout.ms": timeout},
                _DEFAULTS,
                statistics_name=_CLIENT,
            )
            self._poller = Thread(
                target=_poll, args=(self._producer, self._closing), name="direct-publishing", daemon=True
            )
            self._poller.start()
        return self._producer


def _poll(client: ReportingProducer, closing: Event) -> None:
    """Poll ``client``, which calls the delivery callbacks, until it is closed, or is to be replaced."""
    while not closing.is_set() and not client.brokers.lost:
        try:
            client.poll(0.2)
        except KafkaException as fatal:
            client.client_errors(fatal.args[0])
            logger.error("the producer has failed and will be replaced", extra={"problem": error_text(fatal)})
            return
