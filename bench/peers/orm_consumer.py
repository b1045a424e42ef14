"""A consumer as it is commonly written: JSON, a row through SQLAlchemy's ORM, and a commit for each message.

It keeps the same progress of each order as *analytics*. It leaves out what orderflow promises: a message that is
delivered twice is counted twice, one that is missing goes unnoticed, and one that fails stops the partition.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from time import perf_counter
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer
from orderflow.adapters.kafka import KafkaSettings
from orderflow.adapters.sql.analytics import order_progress
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import registry

BATCH = 500
"""Messages that are taken from the client at once; each has its own commit all the same."""


class Progress:
    """One row of the table."""


@asynccontextmanager
async def progress_table(database_url: str) -> AsyncIterator[Any]:
    """A new table of progress, mapped; yields what opens a session."""
    metadata, mapped = MetaData(), registry()
    mapped.map_imperatively(Progress, order_progress.to_metadata(metadata))
    engine = create_async_engine(database_url.replace("postgresql:", "postgresql+asyncpg:", 1))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.drop_all)
            await connection.run_sync(metadata.create_all)
        yield async_sessionmaker(engine, expire_on_commit=False)
    finally:
        mapped.dispose()
        await engine.dispose()


async def consume(database_url: str, topic: KafkaSettings, many: int) -> float:
    """Handle ``many`` messages from the beginning of the topic. Return messages a second, from the first in hand."""
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
    handled, began = 0, 0.0
    try:
        async with progress_table(database_url) as session:
            while handled < many:
                for message in await asyncio.to_thread(consumer.consume, BATCH, 1.0):
                    if message.error() is not None:
                        raise RuntimeError(f"the consumer reports: {message.error()}")
                    began = began or perf_counter()
                    async with session() as work:
                        await handle(work, json.loads(message.value() or b"", parse_float=Decimal))
                        await work.commit()
                    consumer.commit(message=message, asynchronous=True)
                    handled += 1
                    if handled == many:
                        break
            return handled / (perf_counter() - began)
    finally:
        consumer.close()


async def handle(work: Any, event: dict[str, Any]) -> None:
    """Apply one event to its order's row."""
    at, data = datetime.fromisoformat(event["occurredAt"]), event["data"]
    if event["type"] == "order.created":
        work.add(_created(event, data, at))
        return
    progress = await work.get(Progress, event["orderId"])
    progress.events += 1
    if event["type"] == "order.state_changed":
        spent = f"{data['oldState']}_us"
        setattr(progress, spent, (getattr(progress, spent) or 0) + int((at - progress.since).total_seconds() * 1e6))
        progress.state, progress.since = data["newState"], at
    elif event["type"] == "order.cancelled":
        progress.cancel_reason = data["reason"]
    elif event["type"] == "order.delivered":
        progress.delivery_minutes = data["deliveryTime"]


def _created(event: dict[str, Any], data: dict[str, Any], at: datetime) -> Any:
    progress: Any = Progress()
    progress.order_id, progress.restaurant_id = event["orderId"], data["restaurantId"]
    progress.total = Decimal(data["totalPrice"])
    progress.total_e4, progress.currency = int(progress.total * 10_000), data.get("currency", "XXX")
    progress.state, progress.since, progress.created_at = "waiting_for_shipper", at, at
    progress.created_minute, progress.events = int(at.timestamp()) // 60, 1
    return progress
