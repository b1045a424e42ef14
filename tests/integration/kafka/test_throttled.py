"""A broker that throttles the relay gets all events, in batches that it accepts in time, and the delay is named."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest
from attrs import evolve
from orderflow.adapters.kafka import KafkaRelayTopic, KafkaSettings
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay

from tests.support.kafka import KafkaBroker
from tests.support.waiting import eventually_async

from .conftest import TopicRecord
from .relay_program import EVENTS_PER_ORDER, add_orders

QUOTA = 64 * 1024
"""Bytes a second."""
ORDERS = 500


@pytest.fixture
def throttled(kafka: KafkaBroker, kafka_settings: KafkaSettings) -> Iterator[KafkaSettings]:
    """The settings of a client with a quota, whose records are not compressed."""
    client = f"throttled-{kafka_settings.topic}"
    place = ("--bootstrap-server", kafka.bootstrap_servers, "--alter", "--entity-type", "clients", "--entity-name")
    kafka.tool("kafka.admin.ConfigCommand", *place, client, "--add-config", f"producer_byte_rate={QUOTA}")
    yield evolve(kafka_settings, properties={"client.id": client, "compression.type": "none"})
    kafka.tool("kafka.admin.ConfigCommand", *place, client, "--delete-config", "producer_byte_rate")


async def test_all_events_get_through_a_producer_quota_each_once_and_in_order(
    throttled: KafkaSettings, topic_now: Callable[[], Sequence[TopicRecord]]
) -> None:
    storage, failures = MemoryStorage(), list[str]()
    await add_orders(storage, range(ORDERS))
    topic = KafkaRelayTopic(throttled)
    pending = PublishPending(storage.log, topic, storage.cursors)
    relay = RunRelay(pending, LocalWakeup().listener(), failed=lambda error: failures.append(str(error)))
    stop = asyncio.Event()
    running = asyncio.create_task(relay(stop))

    async def all_are_published() -> bool:
        assert not running.done(), running
        return relay.published == ORDERS * EVENTS_PER_ORDER

    await eventually_async(all_are_published, deadline=300, that="all events are published")
    stop.set()
    await running

    seen = await asyncio.to_thread(topic_now)
    positions: dict[int, list[int]] = {}
    for record in seen:
        positions.setdefault(record.address[0], []).append(record.address[1])
    assert sum(map(len, positions.values())) == ORDERS * EVENTS_PER_ORDER
    assert all(each == list(range(1, len(each) + 1)) for each in positions.values())
    assert all("throttles this client" in failure for failure in failures), failures
