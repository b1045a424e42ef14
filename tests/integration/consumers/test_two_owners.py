"""Two consumers that both believe they own every partition of a real topic: each event has one effect."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from orderflow.adapters.kafka import KafkaEventSource, KafkaSettings
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.event_log.records import LogRecord
from orderflow.testing.consumers.world import World

from tests.faults.counting_consumer import COUNTING, CountingConsumer
from tests.integration.kafka.test_source import records, send
from tests.support.kafka import KafkaBroker
from tests.support.waiting import eventually_async


@pytest.fixture
def topic(kafka: KafkaBroker, topic_name: str) -> KafkaSettings:
    kafka.create_topic(topic_name)
    return KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)


async def test_they_take_turns_and_each_event_has_one_effect(world: World, topic: KafkaSettings) -> None:
    sent, stop = await records(orders=60), asyncio.Event()
    owners = [_owner(world, topic, group) for group in ("one", "other")]
    running = [asyncio.create_task(owner(stop)) for owner in owners]

    for wave in range(0, len(sent), 40):
        send(topic, sent[wave : wave + 40])
        await eventually_async(lambda n=wave: _all_handled(world, sent[: n + 40]))
    stop.set()
    await asyncio.gather(*running)

    effects = {item.food_id: item.quantity for item in await world.effects.stock.list(COUNTING)}
    assert effects == Counter(record.order_id for record in sent)
    assert sum(owner.handled for owner in owners) == len(sent)
    assert [owner.gaps for owner in owners] == [0, 0]


def _owner(world: World, topic: KafkaSettings, group: str) -> RunConsumer:
    """As a process of its own would have it; in a group of its own it gets every partition."""
    counting = CountingConsumer()
    source = KafkaEventSource(topic, COUNTING, group=f"{topic.topic}-{group}")
    return RunConsumer(source=source, handle_batch=world.handling(counting), consumer=counting, batch=7)


async def _all_handled(world: World, sent: Sequence[LogRecord]) -> bool:
    reached: Counter[int] = Counter()
    for record in sent:
        reached[record.bucket] = max(record.position, reached[record.bucket])
    return dict(await world.storage.cursors.positions(COUNTING)) == reached
