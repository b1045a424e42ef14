"""A consumer group's members read what is committed, in order, and go on from what was done."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest
from attrs import evolve
from confluent_kafka import Producer
from orderflow.adapters import wire
from orderflow.adapters.kafka import KafkaEventSource, KafkaSettings
from orderflow.adapters.kafka.settings import ClientObserver
from orderflow.adapters.memory import MemoryStorage
from orderflow.application.event_log.records import LogRecord, Origin, UnrecognizedRecord
from orderflow.domain.errors import StreamUnavailable
from pytest_mock import MockerFixture

from tests.support.kafka.group_lag import group_lag
from tests.support.servers import free_port
from tests.support.waiting import eventually_async

from .conftest import on_topic
from .relay_program import add_orders


@pytest.fixture
async def source(kafka_settings: KafkaSettings) -> AsyncIterator[KafkaEventSource]:
    source = KafkaEventSource(kafka_settings, "analytics")
    yield source
    await source.close()


async def records(orders: int) -> Sequence[LogRecord]:
    storage = MemoryStorage()
    await add_orders(storage, range(orders))
    given = await storage.log.read(dict.fromkeys(await storage.log.heads(), 0), limit=1_000_000)
    return sorted(given, key=lambda record: (record.position, record.bucket))


def send(settings: KafkaSettings, given: Sequence[LogRecord], **properties: str) -> None:
    """Write records as a relay would, without one."""
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0, **properties})
    for record in given:
        headers = wire.headers(record, source=settings.source)
        producer.produce(settings.topic, record.body, record.order_id, record.bucket % 3, headers=[*headers])
    assert producer.flush(30) == 0


async def read(source: KafkaEventSource, count: int, *, done: bool = True) -> list[LogRecord | UnrecognizedRecord]:
    """So many records, in however many reads."""
    got: list[LogRecord | UnrecognizedRecord] = []

    async def enough() -> bool:
        got.extend(await source.read(100))
        if done:
            await source.done()
        return len(got) >= count

    await eventually_async(enough, that=f"{count} records are read")
    return got


def by_address(given: Sequence[LogRecord | UnrecognizedRecord]) -> list[LogRecord]:
    return sorted((r for r in given if isinstance(r, LogRecord)), key=lambda r: (r.bucket, r.position))


class TestReading:
    async def test_gives_back_each_record_as_the_log_has_it_in_the_order_of_its_bucket(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        sent = await records(20)
        send(kafka_settings, sent)

        got = await read(source, 80)

        assert by_address(got) == by_address(sent)
        for bucket in {record.bucket for record in sent}:
            positions = [record.position for record in got if isinstance(record, LogRecord) and record.bucket == bucket]
            assert positions == list(range(1, len(positions) + 1))

    async def test_tells_the_observer_when_its_client_is_closed(
        self, kafka_settings: KafkaSettings, mocker: MockerFixture
    ) -> None:
        observer = mocker.create_autospec(ClientObserver, instance=True)
        source = KafkaEventSource(evolve(kafka_settings, observer=observer), "analytics")
        await source.read(1)
        observer.closed.assert_not_called()

        await source.close()

        observer.closed.assert_called_once_with("analytics")

    async def test_gives_no_more_than_it_is_asked_for(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        send(kafka_settings, await records(20))

        first = await eventually_async(lambda: source.read(7))

        assert 1 <= len(first) <= 7

    async def test_is_empty_when_there_is_no_news(self, source: KafkaEventSource) -> None:
        assert await source.read(10) == []

    async def test_sets_aside_what_is_none_of_ours(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        producer = Producer({"bootstrap.servers": kafka_settings.bootstrap_servers})
        producer.produce(kafka_settings.topic, b"hello", b"someone", 1, headers=[("by", b"hand")])
        producer.flush(30)

        (got,) = await read(source, 1)

        assert isinstance(got, UnrecognizedRecord)
        assert (got.topic, got.partition, got.offset) == (kafka_settings.topic, 1, 0)
        assert (got.key, got.value, got.headers) == (b"someone", b"hello", (("by", b"hand"),))
        assert "headers/ce_subject" in got.problem

    async def test_returns_where_each_record_that_was_read_last_is_on_the_topic(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        send(kafka_settings, await records(20))
        origins: dict[tuple[int, int], Origin | None] = {}

        async def all_located() -> bool:
            last = [each for each in await source.read(30) if isinstance(each, LogRecord)]
            origins.update({(each.bucket, each.position): source.origin(each) for each in last})
            return len(origins) == 80

        await eventually_async(all_located)

        topic = kafka_settings.topic
        assert origins == {it.address: Origin(topic, it.partition, it.offset) for it in on_topic(kafka_settings)}

    async def test_does_not_give_what_was_aborted(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        aborted, *committed = await records(2)
        producer = Producer({"bootstrap.servers": kafka_settings.bootstrap_servers, "transactional.id": "test"})
        producer.init_transactions(30)
        producer.begin_transaction()
        headers = wire.headers(aborted, source=kafka_settings.source)
        producer.produce(kafka_settings.topic, aborted.body, aborted.order_id, aborted.bucket % 3, headers=[*headers])
        producer.flush(30)
        producer.abort_transaction(30)
        send(kafka_settings, committed)

        got = await read(source, len(committed))

        assert by_address(got) == by_address(committed)

    async def test_says_so_when_kafka_is_not_there(self) -> None:
        settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
        source = KafkaEventSource(settings, "analytics")

        async def refused() -> bool:
            try:
                await source.read(10)
            except StreamUnavailable:
                return True
            return False

        await eventually_async(refused, that="reading fails")
        await source.close()


async def nothing_left(settings: KafkaSettings, source: KafkaEventSource) -> bool:
    """Return whether the group has committed all of 80 records, and the source knows it."""
    known = await group_lag(settings, source.group)
    await source.read(10)
    await source.done()
    return sum(each.end for each in known) == 80 and all(each.lag == 0 for each in known)


class TestGoingOn:
    async def test_after_what_was_done(self, source: KafkaEventSource, kafka_settings: KafkaSettings) -> None:
        sent = await records(20)
        send(kafka_settings, sent[:50])
        await read(source, 50)
        await source.close()
        send(kafka_settings, sent[50:])
        successor = KafkaEventSource(kafka_settings, "analytics")

        got = await read(successor, 30)

        await successor.close()
        assert by_address(got) == by_address(sent[50:])

    async def test_from_what_was_read_and_not_done(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        sent = await records(20)
        send(kafka_settings, sent)
        await read(source, 80, done=False)
        await source.close()
        successor = KafkaEventSource(kafka_settings, "analytics")

        got = await read(successor, 80)

        await successor.close()
        assert by_address(got) == by_address(sent)

    async def test_leaves_no_lag_to_be_seen(self, source: KafkaEventSource, kafka_settings: KafkaSettings) -> None:
        send(kafka_settings, await records(20))
        await read(source, 80)

        await eventually_async(partial(nothing_left, kafka_settings, source))


class TestRewinding:
    async def test_reads_again_what_was_not_done(self, source: KafkaEventSource, kafka_settings: KafkaSettings) -> None:
        sent = await records(20)
        send(kafka_settings, sent[:50])
        await read(source, 50)
        send(kafka_settings, sent[50:])
        await read(source, 30, done=False)

        await source.rewind()

        assert by_address(await read(source, 30)) == by_address(sent[50:])

    async def test_again_with_nothing_done_between_reads_from_the_beginning(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        sent = await records(20)
        send(kafka_settings, sent)
        await read(source, 80)
        await source.rewind()

        await source.rewind()

        assert by_address(await read(source, 80)) == by_address(sent)

    async def test_before_anything_was_done_begins_where_the_group_stands(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        sent = await records(20)
        send(kafka_settings, sent[:50])
        await read(source, 50)
        await source.close()
        send(kafka_settings, sent[50:])
        successor = KafkaEventSource(kafka_settings, "analytics")
        await read(successor, 30, done=False)

        await successor.rewind()

        assert by_address(await read(successor, 30)) == by_address(sent[50:])
        await successor.close()


class TestHearingOut:
    async def test_returns_which_partitions_are_read_to_their_end(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        given = await records(20)
        send(kafka_settings, given[:40])
        await read(source, 40)
        send(kafka_settings, [record for record in given[40:] if record.bucket % 3 == 1])

        behind = await source.heard_out()

        assert set(behind) <= {0, 2}
        await eventually_async(lambda: _read_out(source), that="all are read to their end")

    async def test_does_not_return_one_where_a_transaction_is_open(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        await eventually_async(lambda: _read_out(source), that="all are read to their end")
        producer = Producer({"bootstrap.servers": kafka_settings.bootstrap_servers, "transactional.id": "open"})
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(kafka_settings.topic, b"{}", b"nobody", 1)
        producer.flush(30)

        await source.read(100)
        meanwhile = await source.heard_out()
        producer.abort_transaction(30)

        assert sorted(meanwhile) == [0, 2]
        await eventually_async(lambda: _read_out(source), that="all are read to their end")


async def _read_out(source: KafkaEventSource) -> bool:
    """Return whether the source has read all three partitions to their end."""
    await source.read(100)
    return sorted(await source.heard_out()) == [0, 1, 2]


class TestStandingBy:
    async def test_takes_nothing_and_goes_on_where_the_last_read_ended(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        sent = await records(40)
        send(kafka_settings, sent[:40])
        got = await read(source, 40)
        await source.pause()
        send(kafka_settings, sent[40:])
        for _ in range(5):
            await source.pause()

        got += await read(source, len(sent) - 40)

        assert by_address(got) == by_address(sent)
        assert len(got) == len(sent)

    async def test_joins_the_group_and_a_rebalance_passes_nothing_over(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        sent = await records(40)
        send(kafka_settings, sent)
        newcomer = KafkaEventSource(kafka_settings, "analytics")

        async def both_have_some() -> bool:
            for member in (source, newcomer):
                await member.pause()
            counts = [len(member.partitions) for member in (source, newcomer)]
            return all(counts) and sum(counts) == 3

        await eventually_async(both_have_some)
        got: list[LogRecord | UnrecognizedRecord] = []

        async def all_read() -> bool:
            for member in (source, newcomer):
                got.extend(await member.read(100))
                await member.done()
            return len(got) >= len(sent)

        await eventually_async(all_read)
        await newcomer.close()

        assert by_address(got) == by_address(sent)


class TestTwoMembers:
    async def test_share_the_partitions_and_one_takes_over_what_the_other_leaves(
        self, source: KafkaEventSource, kafka_settings: KafkaSettings
    ) -> None:
        sent = await records(40)
        send(kafka_settings, sent[:100])
        got = await read(source, 100)
        newcomer = KafkaEventSource(kafka_settings, "analytics")

        async def both_have_some() -> bool:
            for member in (source, newcomer):
                got.extend(await member.read(100))
                await member.done()
            counts = [len(member.partitions) for member in (source, newcomer)]
            return all(counts) and sum(counts) == 3

        await eventually_async(both_have_some)
        send(kafka_settings, sent[100:130])
        both = [read(member, 1) for member in (source, newcomer)]
        for some in await asyncio.gather(*both):
            got.extend(some)
        await newcomer.close()
        send(kafka_settings, sent[130:])

        async def all_read() -> bool:
            got.extend(await source.read(100))
            await source.done()
            return len({(r.bucket, r.position) for r in by_address(got)}) == len(sent)

        await eventually_async(all_read)
        assert by_address(got) == by_address(sent)
