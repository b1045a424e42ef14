"""Publishing straight to Kafka after the commit, without a relay: at most once, and no order ever fails by it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from threading import Event, Thread
from time import perf_counter
from typing import Any

import structlog
from attrs import define, field, frozen
from confluent_kafka import KafkaError, KafkaException, Message

from ...application.event_log.records import BUCKETS, LogRecord, all_buckets, bucket_of
from ...application.orders.write_set import WriteSet
from ...domain.errors import StorageUnavailable
from ...domain.events import OrderEvent
from .. import wire
from .client import ReportingProducer, producer, said
from .settings import KafkaSettings

_ADDRESS = frozenset({"bucket", "position", "epoch"})
_PREFERRED = {"compression.type": "lz4", "linger.ms": "2"}
_MARGIN = 1.0
_UNKNOWN = "Kafka's answer did not come in time"

_log = structlog.get_logger("orderflow.kafka")


@frozen
class KafkaEventPublisher:
    """Appends to the history, as every publisher does, and sends to Kafka once that is committed."""

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
    """The topic as it is written without a relay; ``publisher`` is what a unit of work takes as its ``events``.

    An event is delivered within ``patience`` seconds or given up: then ``failed`` has gone up by one, an error log
    names event and order, and the history still has it. ``sent`` counts what Kafka has acknowledged. Events of an
    order that two processes change at once may overtake each other. The records have every header except the address
    in the log (``bucket``, ``position``), which only a relay reads; so consumers of ours read the log, not the topic.
    Only events in the buckets below ``share`` are sent. ``held`` counts the others: nobody sends them later, as nobody
    sends those that failed; the history has both.

    ``told`` hears of each unit of work its records, for each whether Kafka has it, and the seconds that took.
    """

    settings: KafkaSettings
    patience: float = 2.0
    share: Callable[[], Awaitable[int]] = all_buckets
    told: Callable[[Sequence[LogRecord], Sequence[bool], float], None] | None = None
    sent: int = field(default=0, init=False)
    failed: int = field(default=0, init=False)
    held: int = field(default=0, init=False)
    _last_share: int = field(default=0, init=False)
    _producer: ReportingProducer | None = field(default=None, init=False)
    _reports: Thread | None = field(default=None, init=False)
    _closing: Event = field(factory=Event, init=False)

    def publisher(self, writes: WriteSet) -> KafkaEventPublisher:
        """The publisher of one unit of work."""
        return KafkaEventPublisher(self, writes)

    async def send(self, writes: WriteSet) -> None:
        """Send the events of a committed unit of work; each is delivered, held or given up when this returns."""
        share = await self._share_now()
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
        delivered = await asyncio.gather(*[self._outcome(record, self._handed_over(record)) for record in records])
        if self.told is not None and records:
            self.told(records, delivered, perf_counter() - began)

    async def close(self) -> None:
        """Send what is still on its way, for at most ``patience`` seconds and one."""
        if self._producer is not None and self._reports is not None:
            await asyncio.to_thread(self._producer.flush, self.patience + _MARGIN)
            self._closing.set()
            await asyncio.to_thread(self._reports.join)
            self._producer = self._reports = None

    async def _share_now(self) -> int:
        """What is published now. The order is committed, so a database that is away leaves it at what it was."""
        try:
            self._last_share = await self.share()
        except StorageUnavailable as error:
            _log.warning("the publishing share stays as it was", buckets=self._last_share, problem=str(error))
        return self._last_share

    def _handed_over(self, record: LogRecord) -> "asyncio.Future[str]":
        """What is wrong with the delivery of ``record``, once that is known; nothing when it stands on the topic."""
        loop = asyncio.get_running_loop()
        problem: asyncio.Future[str] = loop.create_future()
        client = self._client()

        def settle(said: str) -> None:
            if not problem.done():
                problem.set_result(said)

        def reported(error: KafkaError | None, _: Message) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits for this any more
                loop.call_soon_threadsafe(settle, client.client_errors.instead_of(error) if error is not None else "")

        headers: Any = [
            header for header in wire.headers(record, source=self.settings.source) if header[0] not in _ADDRESS
        ]
        try:
            client.produce(self.settings.topic, record.body, record.order_id, headers=headers, on_delivery=reported)
        except (BufferError, KafkaException) as error:
            settle(said(error) if isinstance(error, KafkaException) else str(error))
        return problem

    async def _outcome(self, record: LogRecord, delivery: "asyncio.Future[str]") -> bool:
        """Whether Kafka has it."""
        try:
            problem = await asyncio.wait_for(delivery, self.patience + _MARGIN)
        except TimeoutError:
            asked = self._producer
            problem = (await asyncio.to_thread(asked.client_errors.reason) if asked is not None else "") or _UNKNOWN
        if not problem:
            self.sent += 1
            return True
        self.failed += 1
        _log.error(
            "event not published", event_id=record.event_id, order_id=record.order_id, type=record.type, problem=problem
        )
        return False

    def _client(self) -> ReportingProducer:
        """The producer; another one where the last has failed for good."""
        if self._producer is None or self._reports is None or not self._reports.is_alive():
            self._closing.clear()
            timeout = str(max(1, int(self.patience * 1000)))
            self._producer = producer(
                self.settings,
                {"enable.idempotence": "true", "message.timeout.ms": timeout},
                _PREFERRED,
                watched_as="direct",
            )
            self._reports = Thread(
                target=_serve, args=(self._producer, self._closing), name="direct-publishing", daemon=True
            )
            self._reports.start()
        return self._producer


def _serve(client: ReportingProducer, closing: Event) -> None:
    """Delivery reports are called back from here, until a fatal error ends all that this producer can do."""
    while not closing.is_set():
        try:
            client.poll(0.2)
        except KafkaException as fatal:
            client.client_errors(fatal.args[0])
            _log.error("the producer has failed for good, and is replaced", problem=said(fatal))
            return
