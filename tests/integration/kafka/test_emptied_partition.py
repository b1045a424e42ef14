"""A partition loses its records in an unclean stop of its only broker: the doctor and the check report it."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from orderflow.entrypoints.settings import Settings
from orderflow.testing.orders import in_bucket, placed

from tests.support.databases import migrated
from tests.support.here import Here, caught_up
from tests.support.kafka import LocalKafka
from tests.support.servers import obtain, started

TOPIC = "order-events"


@pytest.fixture
def broker() -> Iterator[LocalKafka]:
    with started(obtain(LocalKafka)) as broker:
        yield broker


async def test_a_partition_that_was_emptied_is_found_by_the_doctor_and_its_events_by_the_check(
    broker: LocalKafka, tmp_path: Path
) -> None:
    await asyncio.to_thread(broker.create_topic, TOPIC)
    url = migrated(f"sqlite:///{tmp_path / 'orders.db'}")
    here = Here(Settings(database_url=url, kafka_bootstrap_servers=broker.bootstrap_servers, topic=TOPIC))
    lost, kept = in_bucket(1, 5), in_bucket(2, 5)
    async with here.running() as container:
        for orders in (lost, kept):  # the offsets of a batch are committed when the next one is read
            for order_id in orders:
                await placed(container.storage(), order_id)
            await caught_up(container)
    before = await asyncio.to_thread(here.command_line, "--json", "doctor")

    with broker.down(kill=True):
        for partition in broker.members[0].folder.glob(f"data/{TOPIC}-1"):
            for segment in partition.iterdir():
                segment.unlink() if segment.is_file() else shutil.rmtree(segment)
    await asyncio.to_thread(broker.wait_ready)
    doctor = await asyncio.to_thread(here.command_line, "--json", "doctor")
    checked = await asyncio.to_thread(here.command_line, "--json", "check")

    found = {finding["code"]: finding["found"] for finding in doctor.data["findings"]}
    assert "topic_shortened" not in before.out
    assert "of partition 1" in found["topic_shortened"], found
    assert checked.code == 1
    assert "missing from position 1 on: 5 events" in checked.out
