"""The consumer of ``orm_consumer`` on FastStream: the same handler and a commit for each message.

FastStream acknowledges each message after its handler has returned. It leaves out what ``orm_consumer`` leaves out.
"""

import asyncio
import json
from decimal import Decimal
from time import perf_counter
from uuid import uuid4

from faststream.confluent import KafkaBroker, KafkaMessage
from faststream.middlewares import AckPolicy
from orderflow.adapters.kafka import KafkaSettings

from .orm_consumer import handle, progress_table

DEADLINE = 120.0


async def consume(database_url: str, topic: KafkaSettings, many: int) -> float:
    """Handle ``many`` messages from the beginning of the topic. Return messages a second, from the first in hand."""
    broker, done, handled, began = KafkaBroker(topic.bootstrap_servers, logger=None), asyncio.Event(), 0, 0.0
    async with progress_table(database_url) as session:

        @broker.subscriber(topic.topic, group_id=str(uuid4()), auto_offset_reset="earliest", ack_policy=AckPolicy.ACK)
        async def progress(message: KafkaMessage) -> None:
            nonlocal handled, began
            if done.is_set():
                return
            began = began or perf_counter()
            async with session() as work:
                await handle(work, json.loads(message.body, parse_float=Decimal))
                await work.commit()
            handled += 1
            if handled == many:
                done.set()

        async with broker:
            await broker.start()
            async with asyncio.timeout(DEADLINE):
                await done.wait()
            seconds = perf_counter() - began
    return handled / seconds
