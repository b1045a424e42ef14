"""The example that reads Kafka without orderflow finds every event once and in order."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from orderflow import OrderFlow
from orderflow.entrypoints.processes import run_parts

from tests.doors.entrypoints.test_embedded import LIFE, lived
from tests.support.kafka import KafkaBroker

EXAMPLE = Path(__file__).parents[2] / "examples" / "kafka_consumer.py"
SECONDS = 180


@asynccontextmanager
async def reading(*arguments: str) -> AsyncIterator[asyncio.StreamReader]:
    """The output of the example while it runs."""
    program = await asyncio.create_subprocess_exec(sys.executable, "-u", str(EXAMPLE), *arguments, stdout=PIPE)
    try:
        assert program.stdout is not None
        yield program.stdout
    finally:
        program.kill()
        await program.wait()


async def test_a_plain_kafka_consumer_sees_each_orders_events_once_and_in_order(
    kafka: KafkaBroker, topic_name: str, sqlite_url: str
) -> None:
    kafka.create_topic(topic_name)
    orders, stop = ["O1", "O2", "O3"], asyncio.Event()
    settings = {"kafka_bootstrap_servers": kafka.bootstrap_servers, "topic": topic_name}
    async with OrderFlow.open(sqlite_url, **settings) as flow:
        relaying = asyncio.create_task(run_parts(flow.container, relay=True, stop=stop))
        for order in orders:
            await lived(flow, order)

        async with reading(kafka.bootstrap_servers, topic_name) as printed, asyncio.timeout(SECONDS):
            lines = [(await printed.readline()).decode().split() for _ in range(len(LIFE) * len(orders))]

        stop.set()
        flow.container.news().notify()
        await relaying
    assert {order: [line[1] for line in lines if line[2] == order] for order in orders} == dict.fromkeys(orders, LIFE)
