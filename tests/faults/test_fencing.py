"""A relay that slept while another took its partitions over: Kafka fences it by the group's metadata, or not at all."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, suppress

import pytest
from confluent_kafka import Consumer
from orderflow.adapters.kafka import KafkaRelayTopic, KafkaSettings
from orderflow.adapters.kafka.relay.transactional_producer import RelayProducer
from orderflow.adapters.memory import MemoryStorage
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.domain.errors import StreamUnavailable

from tests.integration.kafka.conftest import on_topic
from tests.integration.kafka.relay_program import add_orders
from tests.support.kafka import KafkaBroker
from tests.support.waiting import eventually_async

from .conftest import Note

pytestmark = pytest.mark.large


@pytest.fixture
def settings(kafka: KafkaBroker, topic_name: str) -> KafkaSettings:
    kafka.create_topic(topic_name)
    return KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)


@pytest.fixture
async def relays(settings: KafkaSettings) -> AsyncIterator[tuple[KafkaRelayTopic, KafkaRelayTopic]]:
    async with AsyncExitStack() as at_the_end:
        pair = KafkaRelayTopic(settings), KafkaRelayTopic(settings)
        for relay in pair:
            at_the_end.push_async_callback(relay.close)
        yield pair


async def test_with_its_metadata_a_relay_that_slept_publishes_nothing(
    settings: KafkaSettings, relays: tuple[KafkaRelayTopic, KafkaRelayTopic], note: Note
) -> None:
    membership = await _overtaken(relays)

    with pytest.raises(StreamUnavailable, match="ILLEGAL_GENERATION"):
        await _wakes(settings, membership)

    assert _doubles(settings) == 0
    note("a relay that slept: fenced by the group's metadata, 0 events twice on the topic")


async def test_without_the_groups_metadata_its_events_stand_there_twice(
    settings: KafkaSettings, relays: tuple[KafkaRelayTopic, KafkaRelayTopic], note: Note
) -> None:
    await _overtaken(relays)
    outsider = Consumer({"bootstrap.servers": settings.bootstrap_servers, "group.id": settings.relay_group})

    await _wakes(settings, outsider.consumer_group_metadata())

    outsider.close()
    doubles = _doubles(settings)
    assert doubles > 0
    note(f"the group's metadata left out: caught, {doubles} events twice on the topic")


async def _overtaken(relays: tuple[KafkaRelayTopic, KafkaRelayTopic]) -> bytes:
    """The first relay's membership from before the second one took over some of its buckets and published them."""
    sleeper, newcomer = relays
    storage = await _log()
    await eventually_async(sleeper.cursors, that="the first relay has its buckets")
    membership = sleeper._group.generation() if sleeper._group else b""

    async def shared() -> bool:
        return all(await asyncio.gather(_own_of(newcomer), _own_of(sleeper)))

    await eventually_async(shared, that="both relays have buckets")
    pending = PublishPending(storage.log, newcomer, storage.cursors)

    async def published() -> int:
        with suppress(StreamUnavailable):  # the group is still changing; a relay asks again
            return await pending()
        return 0

    await eventually_async(published, that="the second relay has published")
    return membership


async def _wakes(settings: KafkaSettings, membership: bytes) -> None:
    """The first relay publishes what it had in hand when it fell asleep: the log from its beginning."""
    storage = await _log()
    heads = await storage.log.heads()
    records = await storage.log.read(dict.fromkeys(heads, 0), limit=10_000)
    zombie = RelayProducer(settings, 10)
    try:
        await asyncio.to_thread(zombie.publish, records, {0: "1;3;p;"}, membership, partitions=3, ends={0: 0})
    finally:
        zombie.close()


async def _log() -> MemoryStorage:
    """Fifty orders, the same each time."""
    storage = MemoryStorage()
    await add_orders(storage, range(50))
    return storage


async def _own_of(relay: KafkaRelayTopic) -> Mapping[int, int | None]:
    with suppress(StreamUnavailable):
        return await relay.cursors()
    return {}


def _doubles(settings: KafkaSettings) -> int:
    """Count the committed events that the topic has more than once."""
    times = Counter(seen.address for seen in on_topic(settings))
    return sum(many > 1 for many in times.values())
