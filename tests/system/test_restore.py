"""A database is restored to an earlier point: relay and consumers see it, refuse, and go on after its repair."""

import asyncio
from collections.abc import Iterator

import pytest
from attrs import evolve
from orderflow.application.event_log.records import bucket_of
from orderflow.application.recovery.epochs import Epochs
from orderflow.entrypoints.settings import CONSUMERS, Settings
from orderflow.testing.orders import assigned, in_bucket, placed

from tests.integration.kafka.conftest import TopicRecord, on_topic
from tests.support.databases import migrated_database
from tests.support.here import Here, caught_up
from tests.support.kafka import KafkaBroker
from tests.support.postgres import LocalPostgres
from tests.support.servers import obtain, started

KEPT = [f"kept-{number}" for number in range(8)]
LOST = [f"lost-{number}" for number in range(8)]


@pytest.fixture
def server() -> Iterator[LocalPostgres]:
    """A PostgreSQL that the test may restore."""
    server = started(obtain(LocalPostgres))
    yield server
    server.close()


@pytest.fixture
def here(server: LocalPostgres, kafka: KafkaBroker, topic_name: str) -> Here:
    kafka.create_topic(topic_name)
    url = migrated_database(server)
    return Here(Settings(database_url=url, kafka_bootstrap_servers=kafka.bootstrap_servers, topic=topic_name))


async def _restored(here: Here, server: LocalPostgres) -> None:
    """Eight orders are kept by the backup; eight more, and changes of some of the first, are lost with what follows."""
    async with here.running() as container:
        for order_id in KEPT:
            await placed(container.storage(), order_id)
        await caught_up(container)
        backup = await asyncio.to_thread(server.back_up)
        for order_id in LOST:
            await placed(container.storage(), order_id)
        for order_id in KEPT[:3]:
            await assigned(container.storage(), order_id, "S1")
        await caught_up(container)
    await asyncio.to_thread(server.restore, backup)


async def _longer_than_the_topic(here: Here) -> int:
    """Orders are taken after the restore, until no bucket of the log is shorter than the topic; how many events."""
    async with here.opened() as container:
        for order_id in LOST:
            for number in range(3):
                mate = in_bucket(bucket_of(order_id), 3)[number]
                await placed(container.storage(), mate)
        for order_id in KEPT[:3]:
            await assigned(container.storage(), order_id, "S2")
        return sum((await container.storage().log.heads()).values())


async def test_a_log_with_lost_events_is_refused_and_after_its_repair_all_goes_on_and_agrees(
    here: Here, server: LocalPostgres
) -> None:
    await _restored(here, server)
    before = on_topic(here.kafka)
    events = await _longer_than_the_topic(here)

    by_relay = await here.refuses(relay=True)
    by_consumer = await here.refuses(consumers=["analytics"])
    shown = await asyncio.to_thread(here.command_line.json, "log", "repair", "--dry-run")
    async with here.opened() as container:
        found = await container.examine()()
        looked = await container.find_lost_events()()
        repair = await container.repair_log()(by="ann", reason="the disk of the database died")
        again = await container.repair_log()(by="ann", reason="once more")
        cured = await container.examine()()

    assert shown["loss"]["events"] == looked.events
    assert "orderflow log repair" in str(by_relay)
    assert (by_relay.code, by_consumer.code) == ("log_behind_topic", "log_behind_topic")
    assert on_topic(here.kafka) == before
    assert "log_behind_topic" in [finding.code for finding in found.findings]
    assert (looked.events, looked.orders_concerned) == (8 + 3, 8 + 3)  # the orders' next states are the same again
    assert {(it.order_id, it.events, it.in_log) for it in looked.orders} == {
        *((order_id, 1, 0) for order_id in LOST),
        *((order_id, 1, 3) for order_id in KEPT[:3]),
    }
    assert repair.begun is not None
    assert (repair.begun.epoch, again.begun) == (2, None)
    assert "log_behind_topic" not in [finding.code for finding in cured.findings]

    async with here.running() as container:
        await caught_up(container)
        report = await container.check()()
        heads = await container.storage().log.heads()

    assert report.clean, report
    assert report.notes == ["not compared: 14 records of earlier epochs on the topic"]
    assert sum(heads.values()) == events
    epochs = Epochs((repair.begun,))
    counting = [it for it in on_topic(here.kafka) if _counts(it, epochs)]
    assert sorted(it.address for it in counting) == [
        (b, at) for b, head in sorted(heads.items()) for at in range(1, head + 1)
    ]
    assert [it.headers["epoch"] for it in counting].count("1") == 8


@pytest.fixture
def standby(server: LocalPostgres) -> Iterator[LocalPostgres]:
    """The standby that takes the server's place; the test starts it."""
    standby = LocalPostgres()
    yield standby
    standby.close()


async def test_a_standby_that_lacks_the_last_moments_is_refused_by_running_processes_until_the_log_is_repaired(
    here: Here, server: LocalPostgres, standby: LocalPostgres
) -> None:
    either = Here(evolve(here.settings, database_url=standby.or_primary(here.settings.database_url)))
    relay = asyncio.create_task(either.refuses(relay=True))
    consumers = asyncio.create_task(either.refuses(consumers=CONSUMERS))
    async with either.opened() as container:
        for order_id in KEPT:
            await placed(container.storage(), order_id)
        await asyncio.to_thread(standby.follow, server)
        await caught_up(container)
        await asyncio.to_thread(standby.let_go)
        for order_id in LOST:
            await placed(container.storage(), order_id)
        await caught_up(container)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(standby.promote)
        refused = await asyncio.gather(relay, consumers)
        taken = await placed(container.storage(), in_bucket(bucket_of(LOST[0]), 1)[0])

    shown = await asyncio.to_thread(either.command_line.json, "log", "repair", "--dry-run")
    repair = await asyncio.to_thread(
        either.command_line.json, "log", "repair", "--by", "ann", "--reason", "db1 is gone"
    )
    async with either.running() as container:
        await caught_up(container)
    checked = await asyncio.to_thread(either.command_line.json, "check", "--wait", "60")

    assert [error.code for error in refused] == ["log_behind_topic", "log_behind_topic"]
    assert {each["orderId"] for each in shown["loss"]["orders"]} == set(LOST)
    assert (repair["begun"]["epoch"], checked["clean"]) == (2, True)
    assert taken.id in {seen.key for seen in on_topic(either.kafka)}


def _counts(seen: TopicRecord, epochs: Epochs) -> bool:
    bucket, position = seen.address
    kept = epochs.kept(bucket, int(seen.headers["epoch"]))
    return kept is None or position <= kept
