"""The whole topic is read from its beginning to where it ended, and from there on for who follows it."""

import asyncio

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from orderflow.adapters.kafka import KafkaSettings, KafkaTopicReader
from orderflow.adapters.memory import MemoryStorage
from orderflow.application.event_log.records import LogRecord, UnrecognizedRecord
from orderflow.application.replay.replay_range import TopicReplaySource
from orderflow.domain.errors import StreamUnavailable

from tests.support.kafka import KafkaBroker
from tests.support.servers import free_port
from tests.support.waiting import eventually_async

from .test_source import by_address, records, send


async def all_of(settings: KafkaSettings, *, at_once: int = 37) -> list[LogRecord | UnrecognizedRecord]:
    got: list[LogRecord | UnrecognizedRecord] = []
    async with KafkaTopicReader(settings).scan() as scan:
        while batch := await scan.read(at_once):
            assert len(batch) <= at_once
            got.extend(batch)
    return got


async def test_a_scan_reads_every_record_once(kafka_settings: KafkaSettings) -> None:
    sent = await records(40)
    send(kafka_settings, sent)

    assert by_address(await all_of(kafka_settings)) == by_address(sent)


async def test_what_a_replay_wants_of_the_topic_is_read_again(kafka_settings: KafkaSettings) -> None:
    sent = await records(10)
    send(kafka_settings, sent)
    order_id, bucket = sent[0].order_id, sent[0].bucket
    read = TopicReplaySource(KafkaTopicReader(kafka_settings), MemoryStorage().epochs)

    head = max(record.position for record in sent if record.bucket == bucket)
    of_bucket = [record async for page in read({bucket: range(1, head + 1)}, None) for record in page]
    of_order = [record async for page in read({bucket: (1,)}, order_id) for record in page]

    assert by_address(of_bucket) == by_address([record for record in sent if record.bucket == bucket])
    assert of_order == [record for record in sent if record.order_id == order_id]


async def test_a_scan_of_an_empty_topic_is_empty(kafka_settings: KafkaSettings) -> None:
    assert await all_of(kafka_settings) == []


async def test_a_scan_ends_where_the_topic_ended_when_it_began(kafka_settings: KafkaSettings) -> None:
    sent = await records(40)
    send(kafka_settings, sent[:100])

    async with KafkaTopicReader(kafka_settings).scan() as scan:
        send(kafka_settings, sent[100:])
        got = []
        while batch := await scan.read(1000):
            got.extend(batch)

    assert by_address(got) == by_address(sent[:100])


async def test_a_scan_waits_for_what_comes_of_open_transactions(
    kafka_settings: KafkaSettings,
) -> None:
    sent = await records(1)
    producer = Producer({"bootstrap.servers": kafka_settings.bootstrap_servers, "transactional.id": "open"})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(kafka_settings.topic, b"aborted later", b"order-9", 1)
    producer.flush(30)
    send(kafka_settings, [record for record in sent if record.bucket % 3 != 1])

    async with KafkaTopicReader(kafka_settings).scan() as scan:
        producer.abort_transaction(30)
        got = []
        while batch := await scan.read(1000):
            got.extend(batch)

    assert by_address(got) == by_address([record for record in sent if record.bucket % 3 != 1])


async def test_a_scan_leaves_no_group_behind(kafka: KafkaBroker, kafka_settings: KafkaSettings) -> None:
    send(kafka_settings, await records(1))

    await all_of(kafka_settings)

    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    groups = admin.list_consumer_groups(request_timeout=100).result(100).valid or []
    assert "orderflow-reader" not in {group.group_id for group in groups}


async def test_a_scan_without_kafka_says_so() -> None:
    nowhere = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")

    with pytest.raises(StreamUnavailable):
        async with KafkaTopicReader(nowhere, timeout=1.0).scan():
            pass


async def test_a_scan_of_a_topic_that_is_not_there_says_so(kafka: KafkaBroker, topic_name: str) -> None:
    settings = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)

    with pytest.raises(StreamUnavailable, match="UNKNOWN_TOPIC_OR_PART"):
        async with KafkaTopicReader(settings).scan():
            pass


class TestTail:
    async def test_from_the_beginning_gives_everything_and_what_comes(self, kafka_settings: KafkaSettings) -> None:
        sent = await records(20)
        send(kafka_settings, sent[:50])
        got = []

        async for record in KafkaTopicReader(kafka_settings).tail(from_beginning=True):
            got.append(record)
            if len(got) == 50:
                send(kafka_settings, sent[50:])
            if len(got) == 80:
                break

        assert by_address(got) == by_address(sent)

    async def test_from_now_on_gives_what_comes(self, kafka_settings: KafkaSettings) -> None:
        sent = await records(20)
        send(kafka_settings, sent[:50])
        following = KafkaTopicReader(kafka_settings).tail()
        first = asyncio.create_task(anext(following))

        async def sent_until_seen() -> bool:
            send(kafka_settings, sent[50:51])
            return first.done()

        await eventually_async(sent_until_seen)

        assert first.result() == sent[50]
        await following.aclose()
