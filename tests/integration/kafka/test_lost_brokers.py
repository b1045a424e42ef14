"""A client that has lost all its brokers is replaced, so that nothing stands still for ever.

That happens when a cluster that fences and admits its brokers names none of them for a moment:
https://github.com/confluentinc/librdkafka/issues/5301. Whether it does is a matter of microseconds, so that here the
statistics say so of clients that are well.
"""

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest
from attrs import evolve
from confluent_kafka.admin import AdminClient  # type: ignore[attr-defined]
from orderflow.adapters.kafka import KafkaEventSource, KafkaRelayTopic, KafkaSettings
from orderflow.adapters.kafka.client import ReportingConsumer, ReportingProducer
from orderflow.adapters.kafka.direct_publisher import DirectPublishing
from orderflow.adapters.kafka.known_brokers import KnownBrokers
from orderflow.adapters.kafka.topic_reader import KafkaTopicReader
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.orders.write_set import WriteSet
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay
from orderflow.domain.errors import StreamUnavailable
from pytest_mock import MockerFixture

from tests.support.waiting import eventually_async
from tests.unit.domain.actors import place

from .conftest import TopicRecord
from .relay_program import QUICK, add_orders
from .test_relay_topic import each_once_and_in_order
from .test_source import read, records, send

NO_BROKERS = json.dumps(
    {"name": "lost", "brokers": {"GroupCoordinator": {"source": "logical", "state": "TRY_CONNECT"}}}
)


def lose(client: ReportingConsumer | ReportingProducer | None) -> None:
    assert client is not None
    client.brokers.note(NO_BROKERS)


def members(settings: KafkaSettings, group: str) -> Sequence[str]:
    """The members of a group, by the names that they got when they joined."""
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0})
    return [each.member_id for each in admin.describe_consumer_groups([group])[group].result(60).members]


async def test_a_source_joins_its_group_anew_and_misses_nothing(kafka_settings: KafkaSettings) -> None:
    source, given = KafkaEventSource(kafka_settings, "analytics"), await records(20)
    send(kafka_settings, given[:40])
    got = await read(source, 40)
    before = members(kafka_settings, source.group)

    lose(source._consumer)
    send(kafka_settings, given[40:])
    got += await read(source, 40)
    after = members(kafka_settings, source.group)

    assert [len(got), {each.address for each in got}] == [80, {each.address for each in given}]  # type: ignore[union-attr]
    assert (len(before), len(after)) == (1, 1)
    assert before != after
    await source.close()


async def test_a_relay_joins_its_group_anew_and_publishes_once(
    kafka_settings: KafkaSettings, topic_now: Callable[[], Sequence[TopicRecord]]
) -> None:
    storage, stop = MemoryStorage(), asyncio.Event()
    relay = KafkaRelayTopic(evolve(kafka_settings, properties=QUICK))
    pending = PublishPending(storage.log, relay, storage.cursors, batch=10)
    run = RunRelay(pending, LocalWakeup().listener(), poll_interval=0.05)
    running = asyncio.create_task(run(stop))
    await add_orders(storage, range(10))
    await eventually_async(lambda: run.published >= 40)
    before = members(kafka_settings, kafka_settings.relay_group)

    assert relay._group is not None
    lose(relay._group._consumer)
    await add_orders(storage, range(10, 20))

    await eventually_async(lambda: run.published >= 80, deadline=240)
    after = members(kafka_settings, kafka_settings.relay_group)
    stop.set()
    await running
    await relay.close()
    assert each_once_and_in_order(topic_now(), events=80)
    assert (len(before), len(after)) == (1, 1)
    assert before != after


async def test_direct_publishing_goes_on_with_a_new_producer(kafka_settings: KafkaSettings) -> None:
    publishing = DirectPublishing(kafka_settings, timeout=60.0)
    await publishing.send(WriteSet(events=[*place().events]))
    first, poller = publishing._producer, publishing._poller

    lose(first)
    await eventually_async(lambda: poller is not None and not poller.is_alive(), that="nobody polls the old one")
    await publishing.send(WriteSet(events=[*place().events]))

    assert publishing._producer is not first
    assert (publishing.sent, publishing.failed) == (2, 0)
    await publishing.close()


async def test_who_watches_the_topic_learns_that_nothing_more_can_come(
    kafka_settings: KafkaSettings, mocker: MockerFixture
) -> None:
    made = mocker.spy(KafkaTopicReader, "_spans")
    watched = KafkaTopicReader(kafka_settings).watch()
    await anext(watched)

    lose(made.call_args.args[1])

    with pytest.raises(StreamUnavailable, match="reading the topic: a broker that starts or stops named no brokers"):
        await anext(watched)


async def test_a_client_that_knows_its_brokers_is_kept(kafka_settings: KafkaSettings, mocker: MockerFixture) -> None:
    noted = mocker.spy(KnownBrokers, "note")
    often = evolve(kafka_settings, properties={"statistics.interval.ms": "200"})
    source = KafkaEventSource(often, "analytics")
    send(kafka_settings, await records(1))
    await read(source, 4)
    client = source._consumer

    async def reported() -> bool:
        await source.read(100)
        return noted.call_count > 1

    await eventually_async(reported, that="librdkafka has reported twice")

    assert source._consumer is client
    assert client is not None
    assert not client.brokers.lost
    await source.close()
