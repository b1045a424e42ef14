"""Copies of parked events stand on their topic as the events were, with what happened to them in headers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
from attrs import evolve
from orderflow import PaymentMethod, Settings
from orderflow.adapters import wire
from orderflow.adapters.kafka import KafkaDeadLetterTopic, KafkaSettings
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.consuming.consumer import ConsumerTransaction
from orderflow.application.consuming.dead_letter import DeadLetter
from orderflow.application.event_log.records import Delivery, Origin
from orderflow.application.orders.create_order import NewOrder
from orderflow.domain.errors import StreamUnavailable
from orderflow.entrypoints.container import container_for
from orderflow.entrypoints.processes import run_parts
from orderflow.entrypoints.wiring.lifespan import opened
from orderflow.testing.consumers.shop import ADMIN, Shop

from tests.support.commands import CommandLine
from tests.support.kafka import KafkaBroker
from tests.support.servers import free_port
from tests.support.waiting import eventually_async

from .conftest import on_topic

NAMED = ("kafka_bootstrap_servers", "topic", "dead_letter_topic")
AT = datetime(2024, 5, 17, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
async def dlq(kafka_settings: KafkaSettings) -> AsyncIterator[KafkaDeadLetterTopic]:
    dlq = KafkaDeadLetterTopic(kafka_settings)
    yield dlq
    await dlq.close()


async def dead_letters() -> Sequence[DeadLetter]:
    """Of one order: an event that failed, with undecodable bytes, and one that waits behind it."""
    shop = Shop()
    await shop.live("o1")
    first, second = (await shop.records())[:2]
    return [
        DeadLetter(
            consumer="analytics",
            record=first._replace(body=b"\xff{"),
            error="UndecodableEvent",
            attempts=3,
            first_failed_at=AT,
            last_failed_at=AT,
            origin=Origin("order-events", 2, 41),
        ),
        DeadLetter(consumer="analytics", record=second, first_failed_at=AT, last_failed_at=AT),
    ]


async def test_key_value_and_headers_are_the_events_own_with_origin_and_failure_beside_them(
    dlq: KafkaDeadLetterTopic, kafka_settings: KafkaSettings
) -> None:
    given = await dead_letters()

    await dlq.put(given)

    failed, waiting = on_topic(kafka_settings)
    assert [(it.key, it.value) for it in (failed, waiting)] == [("o1", b"\xff{"), ("o1", given[1].record.body)]
    own = [{k: v.decode() for k, v in wire.headers(it.record, source="/orderflow") if k != "epoch"} for it in given]
    failure = {"consumer": "analytics", "failed-at": "2024-05-17T12:00:00.250000Z"}
    origin = {"origin-topic": "order-events", "origin-partition": "2", "origin-offset": "41"}
    assert failed.headers == {**own[0], **failure, **origin, "attempts": "3", "error": "UndecodableEvent"}
    assert waiting.headers == {**own[1], **failure, "attempts": "0"}


async def test_one_that_is_too_large_is_left_out_and_does_not_keep_back_the_others(
    kafka_settings: KafkaSettings,
) -> None:
    first, second = await dead_letters()
    large = evolve(first, record=first.record._replace(body=b"x" * 5_000))
    dlq = KafkaDeadLetterTopic(evolve(kafka_settings, properties={"message.max.bytes": "2000"}))

    await dlq.put([large, second])

    await dlq.close()
    assert [it.value for it in on_topic(kafka_settings)] == [second.record.body]


async def test_a_kafka_that_is_not_there_is_unavailable() -> None:
    dlq = KafkaDeadLetterTopic(KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}"), timeout=0.3)

    with pytest.raises(StreamUnavailable, match="copying to topic"):
        await dlq.put(await dead_letters())

    await dlq.close()


async def test_what_an_installation_parks_stands_on_the_topic_that_it_was_asked_to_make(
    kafka: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, topic=topic_name)
    copies = evolve(events, topic=f"dlq.{topic_name}")
    settings = Settings(
        database_url="memory://",
        kafka_bootstrap_servers=events.bootstrap_servers,
        topic=events.topic,
        dead_letter_topic=copies.topic,
    )
    named = {f"ORDERFLOW_{name.upper()}": getattr(settings, name) for name in NAMED}
    made = await asyncio.to_thread(CommandLine("memory://", named), "topics", "create")

    async def poisoned(self: Analyse, deliveries: Sequence[Delivery], work: ConsumerTransaction) -> None:
        raise ValueError("poison")

    async def copied() -> bool:
        return running.done() or len(await asyncio.to_thread(on_topic, copies)) == 1

    monkeypatch.setattr(Analyse, "handle", poisoned)
    container, stop = container_for(settings), asyncio.Event()
    async with opened(container):
        running = asyncio.create_task(run_parts(container, relay=True, consumers=["analytics"], stop=stop))
        order = await Shop().order("o1")
        new = NewOrder(
            customer_id="C1",
            restaurant_id="R1",
            lines=order.lines,
            payment_method=PaymentMethod.CASH,
            currency="EUR",
            order_id="o1",
        )
        await container.use_cases().create_order(new, by=ADMIN)
        await eventually_async(copied)
        stop.set()
        await running

    assert made.code == 0, made
    [event], [copy] = on_topic(events), on_topic(copies)
    assert (copy.key, copy.value) == (event.key, event.value)
    assert (copy.headers["consumer"], copy.headers["error"]) == ("analytics", "ValueError")
    origin = [copy.headers[f"origin-{name}"] for name in ("topic", "partition", "offset")]
    assert origin == [topic_name, str(event.partition), str(event.offset)]
