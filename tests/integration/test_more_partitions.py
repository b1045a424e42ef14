"""Every tool that reads the topic is right after partitions were added, and after records expired or were lost."""

import asyncio
import json

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]
from orderflow.testing.orders import assigned, placed

from tests.integration.kafka.conftest import on_topic
from tests.support.here import Here, caught_up
from tests.support.kafka import KafkaBroker
from tests.support.waiting import eventually_async

ORDERS = [f"order-{number}" for number in range(40)]


async def published(here: Here, *, partitions: int) -> None:
    """Events are published to three partitions, and their orders' later events after the topic has grown."""
    async with here.running() as container:
        for order_id in ORDERS:
            await placed(container.storage(), order_id)
        await caught_up(container)
    admin = AdminClient({"bootstrap.servers": here.settings.kafka_bootstrap_servers})
    topic = here.settings.topic
    if partitions > 3:
        admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(30)

        async def all_are_led() -> bool:
            described = admin.list_topics(topic, timeout=60).topics[topic].partitions
            return len(described) == partitions and all(each.leader >= 0 for each in described.values())

        await eventually_async(all_are_led, that="the new partitions have leaders")
    async with here.running() as container:
        for order_id in ORDERS:
            await assigned(container.storage(), order_id, "S1")
        await caught_up(container)


async def test_check_repair_and_replay_are_right_right_after_partitions_were_added(here: Here) -> None:
    await published(here, partitions=5)

    checked = await asyncio.to_thread(here.command_line, "--json", "check")
    repair = await asyncio.to_thread(here.command_line, "--json", "log", "repair", "--dry-run")
    replay = await asyncio.to_thread(
        here.command_line,
        *("--json", "events", "replay", "--consumer", "analytics", "--from", "1", "--source", "topic"),
        *("--by", "ann", "--reason", "test"),
    )
    verified = [
        await asyncio.to_thread(here.command_line, "orders", "verify", order_id, "--source", "topic")
        for order_id in ORDERS[:3]
    ]

    assert len({each.partition for each in on_topic(here.kafka)}) > 3
    assert checked.code == 0, checked
    assert (repair.code, json.loads(repair.out)["loss"]["events"]) == (0, 0)
    assert (replay.code, json.loads(replay.out)["missing"]) == (0, []), replay
    assert json.loads(replay.out)["handled"] == len(on_topic(here.kafka))
    assert [each.code for each in verified] == [0, 0, 0], verified


async def test_expired_records_are_said_to_be_skipped_with_their_number(here: Here) -> None:
    await published(here, partitions=5)
    before = on_topic(here.kafka)
    admin = AdminClient({"bootstrap.servers": here.settings.kafka_bootstrap_servers})
    middle = sorted(each.offset for each in before if each.partition == 0)[20]
    places = [TopicPartition(here.settings.topic, 0, middle), TopicPartition(here.settings.topic, 2, -1)]
    for deleted in admin.delete_records(places).values():
        deleted.result(30)
    expired = sum(each.partition == 2 or (each.partition == 0 and each.offset < middle) for each in before)

    checked = await asyncio.to_thread(here.command_line, "--json", "check")
    repair = await asyncio.to_thread(here.command_line, "--json", "log", "repair", "--dry-run")

    assert expired > 20
    assert checked.code == 0, checked
    assert f"not compared: {expired} events deleted from the topic by retention or compaction" in checked.out
    assert (repair.code, json.loads(repair.out)["loss"]["events"]) == (0, 0)


async def test_an_emptied_topic_is_reported(here: Here, kafka: KafkaBroker) -> None:
    await published(here, partitions=3)
    events = len(on_topic(here.kafka))
    admin = AdminClient({"bootstrap.servers": here.settings.kafka_bootstrap_servers})
    admin.delete_topics([here.settings.topic])[here.settings.topic].result(30)

    async def is_gone() -> bool:
        return here.settings.topic not in admin.list_topics(timeout=60).topics

    await eventually_async(is_gone, that="the topic is deleted")
    await asyncio.to_thread(kafka.create_topic, here.settings.topic)

    checked = await asyncio.to_thread(here.command_line, "--json", "check")

    comparisons = {each["name"]: each for each in json.loads(checked.out)["report"]["comparisons"]}
    topic = comparisons["the topic holds the log's events, each once and in order"]
    assert checked.code == 1
    assert sum(int(each["problem"].split()[-2]) for each in topic["differences"]) == events
