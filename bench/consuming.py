"""``consumer``: a consumer of the topic with effects on PostgreSQL, against a bare one, and one commit a message."""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any
from uuid import uuid4

from attrs import define, field
from confluent_kafka import Consumer, Producer
from orderflow.adapters import wire
from orderflow.adapters.kafka import KafkaEventSource, KafkaSettings
from orderflow.adapters.sql import SqlStorage
from orderflow.adapters.sql.consumer_store import SqlConsumerStores
from orderflow.adapters.sql.types import metadata
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.clock import utc_now
from orderflow.application.consuming.consumer import BatchResult
from orderflow.application.consuming.consumer import Consumer as Consumer_
from orderflow.application.consuming.handle_batch import HandleBatch
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.event_log.records import LogRecord, UnrecognizedRecord
from sqlalchemy import text

from .finding import Effort, Finding, in_turn, rates, ratios
from .history import lived, records
from .peers import faststream_consumer, orm_consumer
from .servers import Servers

ORDERS = 5_000
"""Some 35,000 events, against which the cost of a consumer's start is small, as in a process that stays."""
BATCH = 500
SHARE_ONE_BY_ONE = 0.016
"""The part of the topic that is read with a commit for every message; the rest would only take longer."""
SINGLE, ORM, BARE = 10.0, 12.0, 0.08


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    given = await records(await lived(effort.of(ORDERS)))
    topic = servers.topic()
    publish(topic, given)
    storage, peer_url = SqlStorage.at(servers.database()), servers.empty_database()
    await storage.open()
    try:

        async def batches() -> float:
            return await consumed(storage, topic, BATCH, len(given))

        async def one_by_one() -> float:
            return await consumed(storage, topic, 1, max(1, round(len(given) * SHARE_ONE_BY_ONE)))

        async def bare() -> float:
            return await asyncio.to_thread(_read, topic, len(given))

        async def orm() -> float:
            return await orm_consumer.consume(peer_url, topic, max(1, round(len(given) * SHARE_ONE_BY_ONE)))

        async def faststream() -> float:
            return await faststream_consumer.consume(peer_url, topic, max(1, round(len(given) * SHARE_ONE_BY_ONE)))

        in_batches, one, alone, common, fast = await in_turn(effort, batches, one_by_one, bare, orm, faststream)
    finally:
        await storage.close()
    return [
        Finding(
            what="consumer / a commit per message",
            values=ratios(in_batches, one),
            floor=SINGLE,
            aside=rates("events", **{f"batches of {BATCH}": in_batches, "of 1": one}),
        ),
        Finding(
            what="consumer / ORM with a commit per message",
            values=ratios(in_batches, common),
            floor=ORM,
            aside=rates("events", orderflow=in_batches, ORM=common),
        ),
        Finding(
            what="consumer / FastStream with a commit per message",
            values=ratios(in_batches, fast),
            floor=ORM,
            aside=rates("events", orderflow=in_batches, FastStream=fast),
        ),
        Finding(
            what="consumer / bare consumer, no effects",
            values=ratios(in_batches, alone),
            floor=BARE,
            aside=rates("events", orderflow=in_batches, bare=alone),
        ),
    ]


def publish(topic: KafkaSettings, given: Sequence[LogRecord]) -> None:
    producer = Producer({"bootstrap.servers": topic.bootstrap_servers, "compression.type": "lz4"})
    for record in given:
        headers: Any = wire.header_texts(record, source=topic.source)
        producer.produce(topic.topic, record.body, record.order_id, record.bucket % 3, headers=headers)
    if left := producer.flush(60):
        raise RuntimeError(f"{left} events were not published")


@define
class _HandlerWithLimit:
    """Handles batches, from the first until so many events are handled; then the consumer is to stop."""

    handle: HandleBatch
    many: int
    stop: asyncio.Event
    handled: int = 0
    began: float = field(default=0.0)
    ended: float = field(default=0.0)

    async def __call__(self, given: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        self.began = self.began or perf_counter()
        done = await self.handle(given)
        self.handled += done.events
        if done.parked or done.foreign or done.gaps:
            raise RuntimeError(f"the topic cannot be consumed as it is: {done}")
        if self.handled >= self.many and not self.stop.is_set():
            self.ended = perf_counter()
            self.stop.set()
        return done


async def consumed(
    storage: SqlStorage, topic: KafkaSettings, batch: int, many: int, consumer: Consumer_ | None = None
) -> float:
    """Events a second, from the first batch in hand until the commit of the last; a new group on empty tables."""
    async with storage.database.writing() as connection:
        await connection.execute(text(f"TRUNCATE {', '.join(it for it in metadata.tables if it != 'log_heads')}"))
    handle = HandleBatch(
        consumer=consumer or Analyse(),
        store=SqlConsumerStores(storage).store,
        cursors=storage.cursors,
        decode=wire.decode_record,
        clock=utc_now,
    )
    watched = _HandlerWithLimit(handle, many, asyncio.Event())
    source = KafkaEventSource(topic, handle.consumer.name, group=str(uuid4()))
    await RunConsumer(source=source, handle_batch=watched, consumer=handle.consumer, batch=batch)(watched.stop)
    return watched.handled / (watched.ended - watched.began)


def _read(topic: KafkaSettings, many: int) -> float:
    """Events a second whose envelope was decoded, from the first batch in hand."""
    consumer = Consumer(
        {
            "bootstrap.servers": topic.bootstrap_servers,
            "group.id": str(uuid4()),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": "false",
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([topic.topic])
    try:
        read, began = 0, 0.0
        while read < many:
            first = consumer.poll(1.0)  # consume() would wait until it has all
            for message in [first, *consumer.consume(BATCH - 1, 0)] if first is not None else ():
                if message.error() is not None:
                    raise RuntimeError(f"the bare consumer failed: {message.error()}")
                began = began or perf_counter()
                wire.read_envelope(message.value() or b"")
                read += 1
        return read / (perf_counter() - began)
    finally:
        consumer.close()
