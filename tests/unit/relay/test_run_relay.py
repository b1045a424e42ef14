"""The relay's loop goes on until it is stopped, whatever a backend does meanwhile."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from attrs import define, field
from orderflow.adapters.memory import MemoryStorage, MemoryTopic
from orderflow.adapters.wakeup import LocalWakeup
from orderflow.application.event_log.records import RELAY, LogRecord
from orderflow.application.noop import noop
from orderflow.application.orders.group_commit import GroupCommit
from orderflow.application.orders.write_set import WriteSet
from orderflow.application.relay.ports import OnFlushed
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.relay.run_relay import RunRelay
from orderflow.domain.errors import LogBehindTopic, StreamUnavailable
from orderflow.domain.events import ShipperAssigned

from tests.support.waiting import eventually_async


@define(eq=False)
class FailingTopic(MemoryTopic):
    """Does not answer so many times; remembers that it was closed."""

    failing: int = 0
    closed: bool = field(default=False, init=False)

    async def publish(self, records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
        if self.failing:
            self.failing -= 1
            raise StreamUnavailable("Kafka", "away")
        await super().publish(records)

    async def close(self) -> None:
        self.closed = True


async def add(storage: MemoryStorage, events: int, *, order_id: str = "A") -> None:
    at = len(await storage.log.history(order_id))
    for sequence in range(at + 1, at + events + 1):
        event = ShipperAssigned(
            order_id=order_id,
            customer_id="C",
            sequence=sequence,
            occurred_at=datetime(2024, 5, 17, tzinfo=UTC),
            shipper_id="S",
            by="boss",
        )
        await GroupCommit(storage.committer).commit(WriteSet(events=[event]))


def relay(storage: MemoryStorage, topic: MemoryTopic, news: LocalWakeup | None = None, **settings: float) -> RunRelay:
    pending = PublishPending(storage.log, topic, storage.cursors, batch=7)
    return RunRelay(pending, (news or LocalWakeup()).listener(), **settings)


async def test_it_publishes_all_that_is_pending_and_ends_in_order() -> None:
    storage, topic, stop = MemoryStorage(), FailingTopic(), asyncio.Event()
    await add(storage, 20)
    run = relay(storage, topic)

    running = asyncio.create_task(run(stop))
    await eventually_async(lambda: run.published == 20)
    stop.set()
    await running

    assert [record.position for record in topic.records] == list(range(1, 21))
    assert dict(await storage.cursors.positions(RELAY)) == dict(await storage.log.heads())
    assert topic.closed


async def test_a_stop_does_not_wait_for_the_next_poll() -> None:
    run, stop = relay(MemoryStorage(), MemoryTopic(), poll_interval=3600.0), asyncio.Event()

    running = asyncio.create_task(run(stop))
    await asyncio.wait({running}, timeout=0.05)
    stop.set()

    await asyncio.wait_for(running, 180)


async def test_news_of_a_commit_wakes_it_at_once() -> None:
    news = LocalWakeup()
    storage, stop = MemoryStorage(on_commit=news.notify), asyncio.Event()
    run = relay(storage, MemoryTopic(), news, poll_interval=3600.0)
    running = asyncio.create_task(run(stop))
    await asyncio.wait({running}, timeout=0.05)

    await add(storage, 1)

    await eventually_async(lambda: run.published == 1)
    stop.set()
    await running


async def test_a_topic_that_does_not_answer_is_counted_and_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    storage, topic, stop = MemoryStorage(), FailingTopic(failing=3), asyncio.Event()
    await add(storage, 20)
    run = relay(storage, topic)

    with caplog.at_level(logging.WARNING, "orderflow.relay"):
        running = asyncio.create_task(run(stop))
        await eventually_async(lambda: run.published == 20)
    stop.set()
    await running

    assert run.failures == 3
    assert sum("relay waits" in line.message for line in caplog.records) == 3


async def test_a_log_behind_the_topic_stops_it(caplog: pytest.LogCaptureFixture) -> None:
    storage, topic = MemoryStorage(), FailingTopic()
    await add(storage, 5)
    stop = asyncio.Event()
    running = asyncio.create_task(relay(storage, topic)(stop))
    await eventually_async(lambda: len(topic.records) == 5)
    stop.set()
    await running
    restored = MemoryStorage()
    await add(restored, 3)

    with pytest.raises(LogBehindTopic):
        await relay(restored, topic)(asyncio.Event())

    assert any("refuses to publish" in line.message for line in caplog.records)
    assert len(topic.records) == 5


async def test_cursors_are_noted_as_it_goes() -> None:
    storage, stop = MemoryStorage(), asyncio.Event()
    await add(storage, 5)
    running = asyncio.create_task(relay(storage, MemoryTopic(), store_interval=0.0, poll_interval=0.01)(stop))

    await eventually_async(lambda: storage.cursors.positions(RELAY))

    assert not running.done()
    stop.set()
    await running
