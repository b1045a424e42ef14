"""Records that are not ours, between real ones on a real topic, stop no process, no partition and no tool."""

import asyncio
import subprocess
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer
from orderflow.adapters import wire
from orderflow.application.consuming.dead_letter import MAX_SET_ASIDE
from orderflow.domain.errors import LogBehindTopic
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.settings import CONSUMERS
from orderflow.testing.orders import assigned, placed

from tests.integration.kafka.conftest import on_topic
from tests.support.here import PATIENCE, Here, caught_up
from tests.support.hostile_records import hostile_records
from tests.support.waiting import eventually_async

NOT_UTF_8 = b"\xff\xfe=1"
UNREADABLE = 18
"""More than it takes until Python specializes a call, which then no longer checks the client's exceptions."""


def kcat(here: Here, partition: int, *headers: bytes) -> None:
    """Write a record whose headers Python's client does not accept."""
    options = [option for header in headers for option in (b"-H", header)]
    servers, topic = here.settings.kafka_bootstrap_servers, here.settings.topic
    subprocess.run(
        ["kcat", "-P", "-b", servers, "-t", topic, "-p", str(partition), "-k", "k", *options], input=b"v", check=True
    )


def write(here: Here, records: list[dict[str, Any]], *, partition: int | None = None) -> None:
    producer = Producer({"bootstrap.servers": here.settings.kafka_bootstrap_servers, "log_level": 0})
    for number, record in enumerate(records):
        producer.produce(here.settings.topic, partition=number % 3 if partition is None else partition, **record)
        producer.poll(0)
    assert producer.flush(60) == 0


async def test_hostile_records_between_real_ones_are_set_aside_and_everything_else_continues(here: Here) -> None:
    async with here.running() as container:
        storage = container.storage()
        await placed(storage, "first")
        await caught_up(container)
        like = (await storage.log.history("first"))[0]
        for number in range(UNREADABLE):
            await asyncio.to_thread(kcat, here, number % 3, NOT_UTF_8)
        await asyncio.to_thread(write, here, hostile_records(like))
        for number in range(9):
            await placed(storage, f"later-{number}")
        await caught_up(container)
        strange = UNREADABLE + len(hostile_records(like))

        async def all_are_counted() -> bool:
            counted = await container.effects().dead_letters.unrecognized_counts()
            return counted == dict.fromkeys(CONSUMERS, strange)

        await eventually_async(all_are_counted, that="every hostile record is counted by every consumer")

    checked = await asyncio.to_thread(here.command_line, "--json", "check")
    repair = await asyncio.to_thread(here.command_line, "--json", "log", "repair", "--dry-run")
    validated = await asyncio.to_thread(here.command_line, "--json", "events", "validate", "--topic")
    replayed = await asyncio.to_thread(
        here.command_line,
        *("--json", "events", "replay", "--consumer", "analytics", "--from", "1", "--source", "topic", "--by", "ann"),
        *("--reason", "test"),
    )
    assert (checked.code, checked.out.count("is not an event of the log")) == (1, strange), checked
    assert (repair.code, validated.code, replayed.code) == (0, 1, 0), (repair, validated, replayed)
    assert "Traceback" not in checked.err + repair.err + validated.err + replayed.err


async def test_many_records_that_are_not_ours_leave_few_rows(here: Here) -> None:
    junk = 3 * MAX_SET_ASIDE
    await asyncio.to_thread(write, here, [{"value": b"junk"}] * junk)

    async with here.running() as container:
        dead_letters = container.effects().dead_letters

        async def all_are_counted() -> bool:
            return dict(await dead_letters.unrecognized_counts()) == dict.fromkeys(CONSUMERS, junk)

        await eventually_async(all_are_counted, that="all junk is counted")
        stored = await dead_letters.unrecognized_records("analytics", limit=junk)

    assert MAX_SET_ASIDE <= len(stored) <= MAX_SET_ASIDE + 3 * container.settings().consumer_batch


async def test_a_forged_event_stops_consumers_and_not_the_api_until_an_operator_skips_it(here: Here) -> None:
    async with here.running() as container:
        await placed(container.storage(), "first")
        await caught_up(container)
        last = (await container.storage().log.history("first"))[-1]
    forged = last._replace(position=last.position + 1, sequence=last.sequence + 1, body=b"{}")
    headers: Any = wire.headers(forged, source="/orderflow")
    at = on_topic(here.kafka)[0].partition
    await asyncio.to_thread(write, here, [{"key": b"first", "value": b"{}", "headers": headers}], partition=at)
    [place] = [it for it in on_topic(here.kafka) if it.value == b"{}"]

    async with here.opened() as container:
        stop = asyncio.Event()
        parts = asyncio.create_task(run_parts(container, api=True, consumers=CONSUMERS, stop=stop))

        async def all_have_refused() -> bool:
            assert not parts.done(), parts
            failures = container.process_registration().describe().failure
            return failures is not None and failures.code == "log_behind_topic"

        await eventually_async(all_have_refused, that="a consumer has refused")
        [api] = [it for it in container.process_registration().describe().parts if it.name == "api"]
        async with httpx.AsyncClient() as client:
            alive = await client.get(f"{api.url}/livez", timeout=PATIENCE)
        stop.set()
        with pytest.raises(LogBehindTopic):
            await asyncio.wait_for(parts, PATIENCE)
    wrong = await asyncio.to_thread(here.command_line, "log", "skip", str(at), "0", "--by", "ann", "--reason", "forged")
    skipped = await asyncio.to_thread(
        here.command_line, "log", "skip", str(at), str(place.offset), "--by", "ann", "--reason", "forged"
    )
    async with here.running() as container:
        await assigned(container.storage(), "first", "S1")
        await caught_up(container)
    checked = await asyncio.to_thread(here.command_line, "--json", "check")

    assert alive.status_code == 200
    assert (wrong.code, skipped.code) == (4, 0), (wrong, skipped)
    assert "which consumers need" in wrong.err
    assert checked.code == 0, checked
    assert "not compared: 1 record of the topic that operators skip" in checked.out
