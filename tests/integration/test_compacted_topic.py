"""Every tool that reads the topic is right after Kafka has compacted it, which an operator may have configured."""

import asyncio
import json
from itertools import count

from orderflow.testing.orders import assigned, placed

from tests.integration.kafka.conftest import on_topic
from tests.support.here import Here, caught_up
from tests.support.kafka import KafkaBroker
from tests.support.waiting import eventually_async

SOON = {"segment_ms": "100", "min_cleanable_dirty_ratio": "0.001", "delete_retention_ms": "0"}
ORDERS = [f"order-{number}" for number in range(20)]


async def test_events_that_compaction_deleted_are_counted_and_are_no_differences(
    here: Here, kafka: KafkaBroker, topic_name: str
) -> None:
    kafka.alter_topic(topic_name, **SOON)
    numbers = count()

    async with here.running() as container:
        storage = container.storage()
        for order_id in ORDERS:
            await placed(storage, order_id)
            await assigned(storage, order_id, "S1")
        await caught_up(container)
        # Not earlier: consumers would miss what is deleted.
        await asyncio.to_thread(kafka.alter_topic, topic_name, cleanup_policy="compact")

        async def is_compacted() -> bool:
            for _ in range(3):
                await placed(storage, f"later-{next(numbers)}")  # so that the segments end, which are compacted then
            await caught_up(container)
            there = await asyncio.to_thread(on_topic, here.kafka)
            return sum(each.key in ORDERS for each in there) <= 1.5 * len(ORDERS)

        await eventually_async(is_compacted, deadline=600, every=0.5, that="Kafka has compacted the topic")
        events = sum((await storage.log.heads()).values())

    checked = await asyncio.to_thread(here.command_line, "--json", "check")
    repair = await asyncio.to_thread(here.command_line, "--json", "log", "repair", "--dry-run")
    replay = await asyncio.to_thread(
        here.command_line,
        *("--json", "events", "replay", "--consumer", "analytics", "--from", "1", "--source", "topic"),
        *("--by", "ann", "--reason", "test"),
    )
    deleted = events - len(on_topic(here.kafka))

    assert checked.code == 0, checked
    assert deleted >= len(ORDERS) / 2
    assert f"not compared: {deleted} events deleted from the topic by retention or compaction" in checked.out
    assert (repair.code, json.loads(repair.out)["loss"]["events"]) == (0, 0)
    assert (replay.code, bool(json.loads(replay.out)["missing"])) == (1, True)
