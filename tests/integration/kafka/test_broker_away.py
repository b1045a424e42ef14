"""A broker that goes away, or stands still, neither loses an event nor holds a process."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from attrs import evolve
from orderflow.adapters.kafka import KafkaEventSource, KafkaRelayTopic, KafkaSettings
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.event_log.records import RELAY
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay

from tests.support.kafka import KafkaBroker, LocalKafka
from tests.support.kafka.group_lag import GroupLag
from tests.support.servers import not_ours
from tests.support.waiting import eventually_async

from .conftest import TopicRecord
from .relay_program import QUICK, add_orders
from .test_relay_topic import each_once_and_in_order
from .test_source import nothing_left, read, records, send


@pytest.fixture(scope="module")
def kafka(own_kafka: KafkaBroker) -> KafkaBroker:
    return own_kafka


async def test_a_broker_that_goes_away_delays_events_and_loses_none(
    kafka: KafkaBroker, kafka_settings: KafkaSettings, topic_now: Callable[[], Sequence[TopicRecord]]
) -> None:
    storage, stop = MemoryStorage(), asyncio.Event()
    await add_orders(storage, range(50))
    relay = KafkaRelayTopic(evolve(kafka_settings, properties=QUICK))
    pending = PublishPending(storage.log, relay, storage.cursors, batch=10)
    run = RunRelay(pending, LocalWakeup().listener(), poll_interval=0.05)
    running = asyncio.create_task(run(stop))
    await eventually_async(lambda: run.published)

    await asyncio.to_thread(kafka.kill)
    await add_orders(storage, range(50, 100))
    await eventually_async(lambda: run.failures)
    await asyncio.to_thread(kafka.start)

    await eventually_async(lambda: run.published >= 400, deadline=240)
    stop.set()
    await running
    await relay.close()
    assert each_once_and_in_order(topic_now(), events=400)
    assert dict(await storage.cursors.positions(RELAY)) == dict(await storage.log.heads())


async def test_a_source_comes_to_an_end_while_kafka_stands_still(
    kafka: KafkaBroker, kafka_settings: KafkaSettings
) -> None:
    if not isinstance(kafka, LocalKafka):
        not_ours("Kafka", "pause")
    source, lag = KafkaEventSource(kafka_settings, "analytics"), GroupLag(kafka_settings)
    send(kafka_settings, await records(20))
    await read(source, 80)
    await eventually_async(partial(nothing_left, lag, source))
    await lag.close()

    kafka.members[0].process.pause()
    try:
        await asyncio.wait_for(source.close(), 120)
    finally:
        kafka.members[0].process.resume()
