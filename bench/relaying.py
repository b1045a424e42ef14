"""``relay``: publishing the log exactly once, against the bare idempotent producer and a common outbox."""

import gc
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from confluent_kafka import Producer
from orderflow.adapters import wire
from orderflow.adapters.kafka import KafkaRelayTopic, KafkaSettings
from orderflow.adapters.sql import SqlStorage
from orderflow.application.event_log.records import LogRecord
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.write_set import WriteSet
from orderflow.application.relay.publish_pending import BATCH, PublishPending
from tests.support.waiting import eventually_async

from .finding import Effort, Finding, in_turn, rates, ratios
from .history import lived, records
from .peers import outbox
from .servers import Servers

ORDERS = 10_000
"""Some 70,000 events, against which the cost of a relay's start is small, as in a process that stays."""
OUTBOX_SHARE = 0.05
"""The share of the events that the outbox gets; with the rest it would only take longer."""
PRODUCER, OUTBOX = 0.30, 6.0


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    memory = await lived(effort.of(ORDERS))
    given = await records(memory)
    database, outbox_url = SqlStorage.at(servers.database()), servers.empty_database()
    few = given[: max(outbox.BATCH, round(len(given) * OUTBOX_SHARE))]
    await database.open()
    try:
        for start in range(0, len(given), BATCH):
            events = [wire.decode_record(record) for record in given[start : start + BATCH]]
            await GroupCommit(database.committer).commit(WriteSet(events=events))

        gc.collect()
        gc.freeze()  # a relay's process has no day's orders in it for the garbage collector to walk through

        async def from_memory() -> float:
            return await _relayed(memory, servers.topic(), len(given))

        async def from_postgresql() -> float:
            return await _relayed(database, servers.topic(), len(given))

        async def bare() -> float:
            return _produced(servers.topic(), given)

        async def from_outbox() -> float:
            topic = servers.topic()
            await outbox.fill(outbox_url, few, topic.source)
            began = perf_counter()
            if await outbox.drain(outbox_url, topic) != len(few):
                raise RuntimeError("the outbox did not publish all of its events")
            return len(few) / (perf_counter() - began)

        in_ram, on_disk, peer, common = await in_turn(effort, from_memory, from_postgresql, bare, from_outbox)
    finally:
        gc.unfreeze()
        await database.close()
    aside = rates("events", relay=on_disk, producer=peer) + f"; batches of {BATCH:,}"
    return [
        Finding(what="relay of PostgreSQL / producer", values=ratios(on_disk, peer), floor=PRODUCER, aside=aside),
        Finding(
            what="relay of PostgreSQL / outbox of rows, 100 a batch",
            values=ratios(on_disk, common),
            floor=OUTBOX,
            aside=rates("events", relay=on_disk, outbox=common),
        ),
        Finding(
            what="relay of a log in memory / producer",
            values=ratios(in_ram, peer),
            floor=PRODUCER,
            aside=rates("events", relay=in_ram, producer=peer),
        ),
    ]


async def _relayed(storage: Any, topic: KafkaSettings, many: int) -> float:
    """Events a second, from when the relay has its buckets until the last transaction is committed."""
    relay = KafkaRelayTopic(topic)
    try:
        await eventually_async(relay.cursors, deadline=60, that="the relay has its buckets")
        pending, published = PublishPending(storage.log, relay, storage.cursors, batch=BATCH), 0
        began = perf_counter()
        while published < many:
            published += await pending()
        return many / (perf_counter() - began)
    finally:
        await relay.close()


def _produced(topic: KafkaSettings, given: Sequence[LogRecord]) -> float:
    """Events a second, from the first until the last is acknowledged. Keys and headers are made outside the clock."""
    messages: Any = [(r.body, r.order_id, r.bucket % 3, wire.header_texts(r, source=topic.source)) for r in given]
    producer = Producer(
        {
            "bootstrap.servers": topic.bootstrap_servers,
            "enable.idempotence": "true",
            "compression.type": "lz4",
            "queue.buffering.max.messages": "1000000",
        }
    )
    producer.list_topics(topic.topic, timeout=30)  # the connection stands
    began = perf_counter()
    for value, key, partition, headers in messages:
        producer.produce(topic.topic, value, key, partition, headers=headers)
    left = producer.flush(60)
    seconds = perf_counter() - began
    if left:
        raise RuntimeError(f"the bare producer left {left} events unsent")
    return len(given) / seconds
