"""An installation in the test's own process, on servers that the test may restore, replace or take away."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import evolve, frozen
from orderflow.adapters.kafka import KafkaSettings
from orderflow.domain.errors import LogBehindTopic
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import CONSUMERS, Settings
from orderflow.entrypoints.wiring.lifespan import opened

from tests.support.commands import CommandLine
from tests.support.waiting import eventually_async

PATIENCE = 180.0


@frozen
class Here:
    """Each ``opened`` is a process built anew."""

    settings: Settings

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        container = container_for(evolve(self.settings, payment_gateway="sandbox"))
        async with opened(container):
            yield container

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Any]:
        """With relay and consumers at work inside; they are stopped in order."""
        async with self.opened() as container:
            stop = asyncio.Event()
            parts = asyncio.create_task(run_parts(container, relay=True, consumers=CONSUMERS, stop=stop))
            try:
                yield container
            finally:
                stop.set()
                container.news().notify()
                await parts

    async def refuses(self, *, relay: bool = False, consumers: Sequence[str] = ()) -> LogBehindTopic:
        """Run these parts as a process would, and return the error that ends them."""
        async with self.opened() as container:
            parts = run_parts(container, relay=relay, consumers=consumers, stop=asyncio.Event())
            with pytest.raises(LogBehindTopic) as refused:
                await asyncio.wait_for(parts, PATIENCE)
        return refused.value

    @property
    def command_line(self) -> CommandLine:
        kafka = {
            "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "ORDERFLOW_TOPIC": self.settings.topic,
        }
        return CommandLine(self.settings.database_url, kafka)

    @property
    def kafka(self) -> KafkaSettings:
        return KafkaSettings(bootstrap_servers=self.settings.kafka_bootstrap_servers, topic=self.settings.topic)


async def caught_up(container: Any) -> None:
    """Wait until nothing is left to publish or to handle."""

    async def nothing_is_pending() -> bool:
        return not any(each.pending for each in await container.lag()())

    await eventually_async(nothing_is_pending, deadline=PATIENCE, every=0.1)
