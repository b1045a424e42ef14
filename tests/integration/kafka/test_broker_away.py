"""A broker that goes away, stands still, loses a partition or is replaced by a new one: nothing is lost or held up."""

import asyncio
import logging
import shutil
from collections.abc import Iterator
from functools import partial

import pytest
from attrs import evolve
from orderflow.adapters.kafka import KafkaEventSource, KafkaRelayTopic, KafkaSettings
from orderflow.adapters.memory import MemoryStorage
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.event_log.records import RELAY
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay
from orderflow.entrypoints.settings import Settings
from orderflow.testing.orders import assigned, in_bucket, placed

from tests.support.here import Here, caught_up
from tests.support.kafka import KafkaBroker, LocalKafka
from tests.support.servers import obtain
from tests.support.waiting import eventually_async

from .conftest import on_topic
from .relay_program import QUICK, add_orders
from .test_relay_topic import each_once_and_in_order
from .test_source import nothing_left, read, records, send

BEFORE = [f"before-{number}" for number in range(8)]
SINCE = [f"since-{number}" for number in range(8)]


@pytest.fixture(scope="module")
def own() -> Iterator[LocalKafka]:
    """A Kafka of the module's own, in addition to the session's."""
    with obtain(LocalKafka) as own:
        yield own


@pytest.fixture
def own_settings(own: LocalKafka, topic_name: str) -> KafkaSettings:
    """An empty topic of it with three partitions."""
    own.create_topic(topic_name)
    return KafkaSettings(bootstrap_servers=own.bootstrap_servers, topic=topic_name)


@pytest.fixture
def here(own: LocalKafka, sqlite_url: str, topic_name: str) -> Here:
    """An installation on it, whose topic is yet to be made."""
    return Here(Settings(database_url=sqlite_url, kafka_bootstrap_servers=own.bootstrap_servers, topic=topic_name))


async def test_on_a_new_and_empty_cluster_all_goes_on_and_history_comes_back_when_it_is_asked_for(
    kafka: KafkaBroker, here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = Here(evolve(here.settings, kafka_bootstrap_servers=kafka.bootstrap_servers))
    await asyncio.to_thread(kafka.create_topic, here.settings.topic)
    async with earlier.running() as container:
        for order_id in BEFORE:
            await placed(container.storage(), order_id)
        await caught_up(container)
    orderflow = here.command_line
    await asyncio.to_thread(orderflow.json, "topics", "create")

    with caplog.at_level(logging.WARNING):
        async with here.running() as container:
            for order_id in SINCE:
                await placed(container.storage(), order_id)
            await assigned(container.storage(), BEFORE[0], "S1")
            await caught_up(container)
            await asyncio.to_thread(orderflow.json, "log", "republish", "--by", "ann", "--reason", "new cluster")
            await asyncio.to_thread(orderflow.json, "lag", "--wait", "60")
            checked = await asyncio.to_thread(orderflow.json, "check", "--wait", "60")
            events = sum((await container.storage().log.heads()).values())

    stands = on_topic(here.kafka)
    again = [seen for seen in stands if seen.headers["epoch"] == "2"]
    assert {seen.key for seen in stands if seen.headers["epoch"] == "1"} == {*SINCE, BEFORE[0]}
    assert "Kafka has no cursors of what was published" in caplog.text
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
    assert checked["clean"]
    assert len({seen.address for seen in again}) == len(again) == events


async def test_a_broker_that_goes_away_delays_events_and_loses_none(
    own: LocalKafka, own_settings: KafkaSettings
) -> None:
    storage, stop = MemoryStorage(), asyncio.Event()
    await add_orders(storage, range(50))
    relay = KafkaRelayTopic(evolve(own_settings, properties=QUICK))
    pending = PublishPending(storage.log, relay, storage.cursors, batch=10)
    run = RunRelay(pending, LocalWakeup().listener(), poll_interval=0.05)
    running = asyncio.create_task(run(stop))
    await eventually_async(lambda: run.published)

    await asyncio.to_thread(own.kill)
    await add_orders(storage, range(50, 100))
    await eventually_async(lambda: run.failures)
    await asyncio.to_thread(own.start)

    await eventually_async(lambda: run.published >= 400, deadline=240)
    stop.set()
    await running
    await relay.close()
    assert each_once_and_in_order(on_topic(own_settings), events=400)
    assert dict(await storage.cursors.positions(RELAY)) == dict(await storage.log.heads())


async def test_a_source_comes_to_an_end_while_kafka_stands_still(own: LocalKafka, own_settings: KafkaSettings) -> None:
    source = KafkaEventSource(own_settings, "analytics")
    send(own_settings, await records(20))
    await read(source, 80)
    await eventually_async(partial(nothing_left, own_settings, source))

    own.members[0].process.pause()
    try:
        await asyncio.wait_for(source.close(), 120)
    finally:
        own.members[0].process.resume()


async def test_a_partition_that_was_emptied_is_found_by_the_doctor_and_its_events_by_the_check(
    here: Here, own: LocalKafka, own_settings: KafkaSettings
) -> None:
    lost, kept = in_bucket(1, 5), in_bucket(2, 5)
    async with here.running() as container:
        for orders in (lost, kept):  # the offsets of a batch are committed when the next one is read
            for order_id in orders:
                await placed(container.storage(), order_id)
            await caught_up(container)
    before = await asyncio.to_thread(here.command_line, "--json", "doctor")

    with own.down(kill=True):
        for partition in own.members[0].folder.glob(f"data/{own_settings.topic}-1"):
            for segment in partition.iterdir():
                segment.unlink() if segment.is_file() else shutil.rmtree(segment)
    await asyncio.to_thread(own.wait_ready)
    doctor = await asyncio.to_thread(here.command_line, "--json", "doctor")
    checked = await asyncio.to_thread(here.command_line, "--json", "check")

    found = {finding["code"]: finding["found"] for finding in doctor.data["findings"]}
    assert "topic_shortened" not in before.out
    assert "of partition 1" in found["topic_shortened"], found
    assert checked.code == 1
    assert "missing from position 1 on: 5 events" in checked.out
