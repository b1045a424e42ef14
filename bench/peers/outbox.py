"""A transactional outbox as it is commonly written: lock 100 rows, publish, wait, delete, commit.

It leaves out what orderflow promises: an event is published again after a crash between publishing and the commit, and
two of these relays publish the events of one order in any order.
"""

from collections.abc import Sequence

import asyncpg
from confluent_kafka import Producer
from orderflow.adapters import wire
from orderflow.adapters.kafka import KafkaSettings
from orderflow.application.event_log.records import LogRecord

BATCH = 100
_CREATE = (
    "CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, "
    "body bytea NOT NULL, names text[] NOT NULL, texts bytea[] NOT NULL)"
)
_FILL = "INSERT INTO outbox (key, body, names, texts) VALUES ($1, $2, $3, $4)"
_LOCK = f"SELECT id, key, body, names, texts FROM outbox ORDER BY id LIMIT {BATCH} FOR UPDATE SKIP LOCKED"
_DELETE = "DELETE FROM outbox WHERE id = ANY($1)"


async def fill(database_url: str, records: Sequence[LogRecord], source: str) -> None:
    """Put ``records`` into a new outbox, with the headers as they are sent."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"DROP TABLE IF EXISTS outbox; {_CREATE}")
        rows = []
        for record in records:
            names, texts = zip(*wire.headers(record, source=source), strict=True)
            rows.append((record.order_id, record.body, names, texts))
        await connection.executemany(_FILL, rows)
        await connection.execute("ANALYZE outbox")
    finally:
        await connection.close()


async def drain(database_url: str, topic: KafkaSettings) -> int:
    """Publish until the outbox is empty, and return the number of events."""
    connection = await asyncpg.connect(database_url)
    producer = Producer(
        {"bootstrap.servers": topic.bootstrap_servers, "enable.idempotence": "true", "compression.type": "lz4"}
    )
    producer.list_topics(topic.topic, timeout=30)
    published = 0
    try:
        while True:
            async with connection.transaction():
                rows = await connection.fetch(_LOCK)
                if not rows:
                    return published
                for _, key, body, names, texts in rows:
                    producer.produce(topic.topic, body, key, headers=[*zip(names, texts, strict=True)])
                if producer.flush(60):
                    raise RuntimeError("the broker did not acknowledge in time")
                await connection.execute(_DELETE, [row["id"] for row in rows])
                published += len(rows)
    finally:
        await connection.close()
