"""``latency``: from the commit of an order to the handling of its event, by the rate of orders (PostgreSQL, Kafka).

The handler is a consumer of the topic in this process, which also creates the orders. The relay runs here as well, or
in a process of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from statistics import quantiles
from time import perf_counter
from typing import Any

from attrs import define, field
from orderflow.adapters.kafka import KafkaEventSource, KafkaSettings
from orderflow.application.consuming.consumer import BatchResult
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.event_log.records import LogRecord, UnrecognizedRecord
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import Settings
from orderflow.entrypoints.wiring.lifespan import opened
from tests.support.process import OwnProcess
from tests.support.stack import PROGRAM

from .creating import ADMIN, new_order
from .finding import Effort, Finding
from .servers import Servers

RATES = (100, 500, 1_000)
SECONDS = 20.0
WARM_UP = 0.2
"""The share of the orders that does not count: the relay joins its group, and caches fill."""
P50, P99 = 30.0, 120.0


async def measure(servers: Servers, effort: Effort) -> list[Finding]:
    findings = []
    for separate in (False, True):
        for rate in RATES:
            many = effort.of(round(rate * SECONDS), least=20)
            where = "a relay of its own" if separate else "one process"
            milliseconds, reached = await _latencies(servers, rate, many, separate)
            cuts = quantiles(milliseconds, n=100)
            for share, limit in ((50, P50), (99, P99)):
                findings.append(
                    Finding(
                        what=f"commit to handler, {rate:,} orders/s, {where}, p{share}",
                        values=[cuts[share - 1]],
                        unit="ms",
                        ceiling=limit,
                        aside=f"{reached:,.0f} orders/s reached",
                    )
                )
    return findings


@define
class _Handler:
    """Notes when each event arrives; it has no name but that of its group."""

    arrived: dict[str, float] = field(factory=dict, init=False)
    name: str = "latency"

    async def __call__(self, records: Sequence[LogRecord | UnrecognizedRecord]) -> BatchResult:
        now = perf_counter()
        self.arrived.update({record.order_id: now for record in records if isinstance(record, LogRecord)})
        return BatchResult(events=len(records))

    async def settle(self) -> int:
        return 0


async def _latencies(servers: Servers, rate: int, many: int, separate: bool) -> tuple[list[float], float]:
    """Milliseconds of each order, and the orders a second that were created."""
    topic, stop, handler = servers.topic(), asyncio.Event(), _Handler()
    settings = Settings(
        database_url=servers.database(), kafka_bootstrap_servers=topic.bootstrap_servers, topic=topic.topic
    )
    container, committed = container_for(settings), dict[str, float]()
    consumer = RunConsumer(source=KafkaEventSource(topic, handler.name), handle_batch=handler, consumer=handler)
    async with opened(container), _relay(servers, container, settings, topic, stop, separate):
        consuming = asyncio.create_task(consumer(stop))
        create = container.use_cases().create_order

        async def order(number: int) -> None:
            created = await create(new_order(number), by=ADMIN)
            committed[created.id] = perf_counter()

        await order(-1)  # from here on, the relay has its partitions and the consumer its own
        await _until(lambda: len(handler.arrived) == 1)
        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(many):
                await asyncio.sleep(max(0.0, began + number / rate - perf_counter()))
                group.create_task(order(number))
        reached = many / (perf_counter() - began)
        await _until(lambda: len(handler.arrived) == len(committed))
        stop.set()
        container.news().notify()
        await consuming
    counted = list(committed)[round(many * WARM_UP) :]
    return [(handler.arrived[each] - committed[each]) * 1000 for each in counted], reached


async def _until(done: Any) -> None:
    async with asyncio.timeout(120):
        while not done():  # noqa: ASYNC110 - it looks at what two libraries do
            await asyncio.sleep(0.01)


@asynccontextmanager
async def _relay(
    servers: Servers, container: Any, settings: Settings, topic: KafkaSettings, stop: asyncio.Event, separate: bool
) -> AsyncIterator[None]:
    """A relay in this process, or in one of its own, until the end of the block."""
    if not separate:
        running = asyncio.create_task(run_parts(container, relay=True, stop=stop))
        yield
        stop.set()
        await running
        return
    environment = {
        "ORDERFLOW_DATABASE_URL": settings.database_url,
        "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": topic.bootstrap_servers,
        "ORDERFLOW_TOPIC": topic.topic,
        "ORDERFLOW_LOG_LEVEL": "error",
    }
    process = OwnProcess((*PROGRAM, "relay"), servers.folder() / "relay.log", environment=environment)
    process.start()
    try:
        yield
    finally:
        process.stop()
