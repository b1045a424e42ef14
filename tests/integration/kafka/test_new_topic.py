"""Topic or offsets are taken away, or partitions added: each is seen, and every event has its effect once."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from attrs import evolve, field, frozen
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]
from orderflow.adapters.kafka import KafkaEventSource, KafkaRelayTopic, KafkaSettings
from orderflow.adapters.kafka.relay.committed_cursors import KafkaCommittedCursors
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.backoff import Backoff
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.event_log.records import RELAY
from orderflow.application.recovery.repair_log import Republish
from orderflow.application.recovery.restore_guard import MissedEvents, RestoreGuard
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay
from orderflow.domain.errors import LogGap
from orderflow.testing.consumers.world import World, memory_world

from tests.support.kafka import KafkaBroker
from tests.support.waiting import eventually, eventually_async

from .conftest import on_topic
from .relay_program import add_orders

QUICK = {"topic.metadata.refresh.interval.ms": "500"}


@frozen
class Kitchen:
    """A log in memory with a relay and a consumer, analytics, on a topic of a real Kafka."""

    world: World
    settings: KafkaSettings
    missed_events: list[LogGap | None] = field(factory=list)
    """The result of each check of the consumer since it had partitions."""

    async def events(self) -> int:
        return sum((await self.world.storage.log.heads()).values())

    async def handled(self) -> int:
        return sum((await self.world.storage.cursors.positions("analytics")).values())

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[RunRelay]:
        """A relay at work, built anew; it has noted its floor when it ends."""
        storage, stop = self.world.storage, asyncio.Event()
        pending = PublishPending(
            storage.log, KafkaRelayTopic(self.settings), storage.cursors, batch=50, epochs=storage.epochs
        )
        run = RunRelay(pending, LocalWakeup().listener(), 0.05, store_interval=0.1)
        running = asyncio.create_task(run(stop))
        yield run
        stop.set()
        await running

    @asynccontextmanager
    async def consumer(self) -> AsyncIterator[RunConsumer]:
        """A consumer at work, built anew."""
        storage, stop = self.world.storage, asyncio.Event()
        source, relays = KafkaEventSource(self.settings, "analytics"), KafkaCommittedCursors(self.settings)
        look = MissedEvents("analytics", relays, storage.log, storage.epochs, storage.cursors, source.heard_out)

        async def missed_events() -> LogGap | None:
            found = await look()
            if source.partitions:
                self.missed_events.append(found)
            return found

        run = RunConsumer(
            source=source,
            handle_batch=self.world.handling(restore_guard=RestoreGuard(storage.log, storage.epochs)),
            consumer=Analyse(),
            missed_events=missed_events,
            gap_backoff=Backoff(0.1, 0.5),
            check_backoff=Backoff(0.3, 1.0),
        )
        running = asyncio.create_task(run(stop))
        yield run
        stop.set()
        await running

    async def published(self) -> None:
        """Until a relay has noted the log's heads."""
        storage = self.world.storage

        async def all_of_it() -> bool:
            return await storage.cursors.positions(RELAY) == await storage.log.heads()

        async with self.relay():
            await eventually_async(all_of_it, that="all is published")

    async def consumed(self) -> None:
        async with self.consumer():
            await self.until_handled()

    async def until_handled(self) -> None:
        async def all_of_it() -> bool:
            return await self.handled() == await self.events()

        await eventually_async(all_of_it, that="all is handled")

    async def each_once(self) -> bool:
        """Return whether analytics has counted every event of every order exactly once."""
        orders = [f"order-{number}" for number in range(await self.events() // 4)]
        progress = await self.world.effects.analytics.of_orders(orders)
        return {order_id: each.events for order_id, each in progress.items()} == dict.fromkeys(orders, 4)


@pytest.fixture
async def kitchen(kafka_settings: KafkaSettings) -> Kitchen:
    """Twenty orders, published and handled."""
    kitchen = Kitchen(memory_world(), evolve(kafka_settings, properties=QUICK))
    await add_orders(kitchen.world.storage, range(20))
    await kitchen.published()
    await kitchen.consumed()
    return kitchen


@pytest.fixture
def admin(kafka: KafkaBroker) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})


async def test_a_topic_made_anew_goes_on_and_all_history_comes_back_when_it_is_asked_for(
    kitchen: Kitchen, kafka: KafkaBroker, admin: AdminClient, caplog: pytest.LogCaptureFixture
) -> None:
    storage, topic = kitchen.world.storage, kitchen.settings.topic
    await add_orders(storage, range(20, 25))
    await kitchen.published()  # and not handled, as no consumer runs
    admin.delete_topics([topic], operation_timeout=60, request_timeout=100)[topic].result(120)
    eventually(lambda: topic not in admin.list_topics(timeout=60).topics)
    kafka.create_topic(topic)
    await add_orders(storage, range(25, 30))

    with caplog.at_level(logging.WARNING):
        await kitchen.published()
    stands = on_topic(kitchen.settings)
    async with kitchen.consumer() as run:
        await eventually_async(lambda: run.gaps, that="the gap is reported")
        waits = await kitchen.handled()
        await Republish(storage.log, storage.epochs, KafkaCommittedCursors(kitchen.settings), kitchen.world.clock)(
            by="ann", reason="the topic was made anew"
        )
        await kitchen.published()
        await kitchen.until_handled()

    assert "Kafka has no cursors of what was published" in caplog.text
    assert {seen.key for seen in stands} == {f"order-{number}" for number in range(25, 30)}
    assert 80 <= waits < await kitchen.events()
    assert [seen.headers["epoch"] for seen in on_topic(kitchen.settings)].count("2") == await kitchen.events()
    assert await kitchen.each_once()


async def test_offsets_that_expired_make_nothing_happen_twice(kitchen: Kitchen, admin: AdminClient) -> None:
    groups = [kitchen.settings.relay_group, kitchen.settings.consumer_group("analytics")]
    for gone in admin.delete_consumer_groups(groups, request_timeout=100).values():
        gone.result(30)
    await add_orders(kitchen.world.storage, range(20, 25))

    await kitchen.published()
    await kitchen.consumed()

    assert len(on_topic(kitchen.settings)) == await kitchen.events()
    assert await kitchen.each_once()


async def test_what_waits_behind_the_transaction_of_a_dead_relay_is_not_missed(
    kitchen: Kitchen, kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    dead = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": "dead", "log_level": 0})
    dead.init_transactions(30)
    dead.begin_transaction()
    for partition in range(3):
        dead.produce(kitchen.settings.topic, b"{}", b"nobody", partition)
    dead.flush(30)
    await add_orders(kitchen.world.storage, range(20, 25))
    await kitchen.published()

    async with kitchen.consumer() as run:
        await eventually_async(lambda: len(kitchen.missed_events) >= 4, that="it has looked some times")
        waits, reported = await kitchen.handled(), run.gaps
        dead.abort_transaction(30)
        await kitchen.until_handled()

    assert (waits, reported) == (80, 0)
    assert not [
        line for line in caplog.records if line.levelno >= logging.WARNING and line.name == "orderflow.consumer"
    ]
    assert await kitchen.each_once()


async def test_partitions_that_are_added_while_relay_and_consumer_run_change_no_effect(
    kitchen: Kitchen, admin: AdminClient
) -> None:
    topic = kitchen.settings.topic
    async with kitchen.relay(), kitchen.consumer():
        admin.create_partitions([NewPartitions(topic, 5)])[topic].result(30)
        for wave in range(4):
            await add_orders(kitchen.world.storage, range(20 + 20 * wave, 40 + 20 * wave))
            await kitchen.until_handled()
        await eventually_async(_all_are_used(kitchen))

    assert await kitchen.each_once()
    assert len(on_topic(kitchen.settings)) == await kitchen.events()


def _all_are_used(kitchen: Kitchen) -> Callable[[], bool]:
    return lambda: {seen.partition for seen in on_topic(kitchen.settings)} == {0, 1, 2, 3, 4}
