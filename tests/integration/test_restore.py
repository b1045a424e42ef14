"""A database is restored to an earlier point: relay and consumers see it, refuse, and go on once the log is mended."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import frozen
from orderflow.adapters.kafka import KafkaSettings
from orderflow.application.epochs import Epochs
from orderflow.application.log import bucket_of
from orderflow.domain.errors import LogBehindTopic
from orderflow.entrypoints.container import CONSUMERS, container_for
from orderflow.entrypoints.lifespan import opened
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import Settings

from tests.contracts.orders import assigned, in_bucket, placed
from tests.integration.kafka.conftest import Seen, on_topic
from tests.support.commands import CommandLine
from tests.support.databases import migrated
from tests.support.kafka import KafkaBroker, needs_real_kafka
from tests.support.postgres import LocalPostgres
from tests.support.servers import obtain, started
from tests.support.waiting import eventually_async

KEPT = [f"kept-{number}" for number in range(8)]
LOST = [f"lost-{number}" for number in range(8)]
PATIENCE = 60.0


@frozen
class Here:
    """An installation on a PostgreSQL that the test may restore; each ``opened`` is a process built anew."""

    postgres: LocalPostgres
    settings: Settings

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        container = container_for(self.settings)
        async with opened(container):
            yield container

    @asynccontextmanager
    async def running(self, *, relay: bool = True) -> AsyncIterator[Any]:
        """With relay and consumers at work inside; they are stopped in order."""
        async with self.opened() as container:
            stop = asyncio.Event()
            parts = asyncio.create_task(run_parts(container, relay=relay, consumers=CONSUMERS, stop=stop))
            try:
                yield container
            finally:
                stop.set()
                container.news().notify()
                await parts

    async def refuses(self, **parts: Any) -> LogBehindTopic:
        """How these parts end, started in a process of their own."""
        async with self.opened() as container:
            with pytest.raises(LogBehindTopic) as refused:
                await asyncio.wait_for(run_parts(container, **parts, stop=asyncio.Event()), PATIENCE)
        return refused.value

    @property
    def command_line(self) -> CommandLine:
        kafka = {
            "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "ORDERFLOW_TOPIC": self.settings.topic,
        }
        return CommandLine(self.settings.database_url, kafka)

    def topic(self) -> Sequence[Seen]:
        return on_topic(
            KafkaSettings(bootstrap_servers=self.settings.kafka_bootstrap_servers, topic=self.settings.topic)
        )


@pytest.fixture
def here(kafka: KafkaBroker, topic_name: str) -> Iterator[Here]:
    needs_real_kafka(kafka, "cursors that ride in the producer's transaction")
    kafka.create_topic(topic_name)
    server = started(obtain(LocalPostgres))
    try:
        url = migrated(server.create_database())
        yield Here(
            server, Settings(database_url=url, kafka_bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)
        )
    finally:
        server.close()


async def _caught_up(container: Any) -> None:
    async def nobody_is_waited_for() -> bool:
        return not any(each.waited_for for each in await container.lag()())

    await eventually_async(nobody_is_waited_for, deadline=PATIENCE, every=0.1)


async def _restored(here: Here) -> None:
    """Eight orders are kept by the backup; eight more, and changes of some of the first, are lost with what follows."""
    async with here.running() as container:
        for order_id in KEPT:
            await placed(container.storage(), order_id)
        await _caught_up(container)
        backup = await asyncio.to_thread(here.postgres.back_up)
        for order_id in LOST:
            await placed(container.storage(), order_id)
        for order_id in KEPT[:3]:
            await assigned(container.storage(), order_id, "S1")
        await _caught_up(container)
    await asyncio.to_thread(here.postgres.restore, backup)


async def _longer_than_the_topic(here: Here) -> int:
    """Orders are taken after the restore, until no bucket of the log is shorter than the topic; how many events."""
    async with here.opened() as container:
        for order_id in LOST:
            for number in range(3):
                mate = in_bucket(bucket_of(order_id), 3)[number]
                await placed(container.storage(), mate)
        for order_id in KEPT[:3]:
            await assigned(container.storage(), order_id, "S2")
        return sum((await container.storage().log.heads()).values())


async def test_what_was_lost_is_refused_and_after_mending_all_goes_on_and_agrees(here: Here) -> None:
    await _restored(here)
    before = here.topic()
    events = await _longer_than_the_topic(here)

    by_relay = await here.refuses(relay=True)
    by_consumer = await here.refuses(consumers=["analytics"])
    shown = await asyncio.to_thread(here.command_line.json, "log", "mend", "--dry-run")
    async with here.opened() as container:
        found = await container.examine()()
        looked = await container.look_for_loss()()
        mended = await container.mend_log()(by="ann", why="the disk of the database died")
        again = await container.mend_log()(by="ann", why="once more")
        cured = await container.examine()()

    assert shown["loss"]["events"] == looked.events
    assert "orderflow log mend" in str(by_relay)
    assert (by_relay.code, by_consumer.code) == ("log_behind_topic", "log_behind_topic")
    assert here.topic() == before
    assert "log_behind_topic" in [finding.code for finding in found.findings]
    assert (looked.events, looked.orders_concerned) == (8 + 3, 8 + 3)  # the orders' next states are the same again
    assert {(it.order_id, it.events, it.in_log) for it in looked.orders} == {
        *((order_id, 1, 0) for order_id in LOST),
        *((order_id, 1, 3) for order_id in KEPT[:3]),
    }
    assert mended.begun is not None
    assert (mended.begun.epoch, again.begun) == (2, None)
    assert "log_behind_topic" not in [finding.code for finding in cured.findings]

    async with here.running() as container:
        await _caught_up(container)
        report = await container.check()()
        heads = await container.storage().log.heads()

    assert report.clean, report
    assert report.notes == ["14 records of earlier epochs are on the topic, and do not count any more"]
    assert sum(heads.values()) == events
    epochs = Epochs((mended.begun,))
    counting = [it for it in here.topic() if _counts(it, epochs)]
    assert sorted(it.address for it in counting) == [
        (b, at) for b, head in sorted(heads.items()) for at in range(1, head + 1)
    ]
    assert [it.headers["epoch"] for it in counting].count("1") == 8


def _counts(seen: Seen, epochs: Epochs) -> bool:
    bucket, position = seen.address
    kept = epochs.kept(bucket, int(seen.headers["epoch"]))
    return kept is None or position <= kept
