"""One batch of the relay: from Kafka's cursors, or the floor, and never past what the log holds."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain, count, repeat
from typing import Any

import pytest
from orderflow.adapters.memory import MemoryTopic
from orderflow.application.event_log.ports import EventLog
from orderflow.application.event_log.records import BUCKETS, RELAY, LogRecord, Positions
from orderflow.application.noop import noop
from orderflow.application.relay import publish_pending
from orderflow.application.relay.ports import OnFlushed, RelayTopic
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.domain.errors import LogBehindTopic, StorageUnavailable, StreamUnavailable
from orderflow.testing.consumers.shop import Shop
from pytest_mock import MockerFixture

from tests.unit.recovery.histories import ByHand


async def _shop_with(orders: int) -> Shop:
    shop = Shop()
    for number in range(orders):
        await shop.order(f"O{number}")
    return shop


async def test_a_relay_notes_positions_that_one_before_it_brought_there_and_did_not_note() -> None:
    shop, topic = await _shop_with(3), MemoryTopic()
    storage = shop.storage
    await PublishPending(storage.log, topic, storage.cursors)()
    successor = PublishPending(storage.log, topic, storage.cursors)

    assert await successor() == 0
    await successor.store_cursors()

    assert dict(await storage.cursors.positions(RELAY)) == dict(await storage.log.heads())


async def test_a_topic_ahead_of_the_log_is_refused_and_nothing_is_published() -> None:
    shop, topic = await _shop_with(2), MemoryTopic()
    await PublishPending(shop.storage.log, topic, shop.storage.cursors)()
    restored = await _shop_with(1)
    await restored.order("O-other")
    before = len(topic.records)

    with pytest.raises(LogBehindTopic) as refused:
        await PublishPending(restored.storage.log, topic, restored.storage.cursors)()

    assert refused.value.topic == 1
    assert refused.value.log == 0
    assert len(topic.records) == before


async def test_a_batch_is_no_larger_than_asked_for() -> None:
    shop, topic = await _shop_with(7), MemoryTopic()
    pending = PublishPending(shop.storage.log, topic, shop.storage.cursors, batch=3)

    batches = [await pending() for _ in range(4)]

    assert batches == [3, 3, 1, 0]


class TestTheSizeOfABatch:
    async def test_it_is_halved_until_it_gets_through_in_time_and_grown_again(
        self, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(publish_pending, "FIRST_BATCH", 250)
        shop, topic = await _shop_with(600), MemoryTopic()
        kept, sizes, accepted = topic.publish, list[int](), [40, 1_000]

        async def publish(records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
            sizes.append(len(records))
            if len(records) > accepted[0]:
                raise StreamUnavailable("Kafka", "no acknowledgement in time")
            del accepted[:-1]
            await kept(records, on_flushed)

        mocker.patch.object(MemoryTopic, "publish", side_effect=publish)
        pending = PublishPending(shop.storage.log, topic, shop.storage.cursors, clock=lambda: 0.0)

        while len(topic.records) < 600:
            with suppress(StreamUnavailable):
                await pending()

        assert sizes[:4] == [250, 125, 62, 31]
        assert max(sizes[4:]) > 62
        assert len({record.address for record in topic.records}) == 600

    async def test_after_one_that_was_too_large_it_stays_for_a_while_at_what_fitted(
        self, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(publish_pending, "FIRST_BATCH", 20)
        shop, topic, clock = await _shop_with(600), MemoryTopic(), ByHand()
        kept, refused = topic.publish, list[int]()

        async def publish(records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
            if len(records) > 30:
                refused.append(len(records))
                raise StreamUnavailable("Kafka", "no acknowledgement in time")
            await kept(records, on_flushed)

        mocker.patch.object(MemoryTopic, "publish", side_effect=publish)
        pending = PublishPending(shop.storage.log, topic, shop.storage.cursors, clock=clock)

        async def published(batches: int) -> None:
            for _ in range(batches):
                with suppress(StreamUnavailable):
                    await pending()

        await published(8)
        at_first = list(refused)
        clock.now += publish_pending.STEADY_SECONDS - 1
        await published(6)
        steady = list(refused)
        clock.now += 1
        await published(3)

        assert at_first[-1] == 40, "after which 20 fit"
        assert steady == at_first
        assert len(refused) > len(steady)

    async def test_it_is_not_grown_while_batches_are_slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(publish_pending, "FIRST_BATCH", 250)
        shop, topic, time = await _shop_with(600), MemoryTopic(), count(step=5.0)
        pending = PublishPending(shop.storage.log, topic, shop.storage.cursors, clock=lambda: next(time))

        sizes = [await pending() for _ in range(3)]

        assert sizes == [250, 250, 100]

    async def test_it_is_bounded_by_bytes_and_has_at_least_one_event(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(publish_pending, "BATCH_BYTES", 1)
        shop, topic = await _shop_with(3), MemoryTopic()
        pending = PublishPending(shop.storage.log, topic, shop.storage.cursors)

        sizes = [await pending() for _ in range(4)]

        assert sizes == [1, 1, 1, 0]
        assert [record.order_id for record in sorted(topic.records, key=lambda it: it.order_id)] == ["O0", "O1", "O2"]

    async def test_no_more_is_read_of_large_events_than_fits_into_a_batch(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop, topic = await _shop_with(40), MemoryTopic()
        records = await shop.storage.log.read(dict.fromkeys(range(BUCKETS), 0), limit=99)
        monkeypatch.setattr(publish_pending, "BATCH_BYTES", 4 * max(len(record.body) for record in records))
        pending = PublishPending(shop.storage.log, topic, shop.storage.cursors)

        sizes = [await pending() for _ in range(10)]

        assert sizes == [4] * 10
        assert pending.full is False
        assert sorted(record.order_id for record in topic.records) == sorted(f"O{number}" for number in range(40))


class TestReadingAhead:
    """A full batch has more behind it, which is read while the batch is published."""

    async def test_the_next_batch_is_read_while_one_that_is_handed_over_is_published(
        self, mocker: MockerFixture
    ) -> None:
        shop, topic = await _shop_with(4), _topic(mocker)
        log, read_ahead = mocker.create_autospec(EventLog, instance=True, spec_set=True), asyncio.Event()
        log.heads.side_effect = shop.storage.log.heads

        async def read(after: Positions, **bounds: Any) -> Sequence[LogRecord]:
            if log.read.call_count == 2:
                read_ahead.set()
            return await shop.storage.log.read(after, **bounds)

        async def publish(_: Sequence[LogRecord], on_flushed: OnFlushed) -> None:
            assert log.read.call_count == 1
            on_flushed()
            await asyncio.wait_for(read_ahead.wait(), 180)

        log.read.side_effect, topic.publish.side_effect = read, publish

        published = await PublishPending(log, topic, shop.storage.cursors, batch=2)()

        assert published == 2
        assert read_ahead.is_set()

    async def test_what_was_read_ahead_is_dropped_where_the_topic_was_made_anew(self, mocker: MockerFixture) -> None:
        shop, topic = await _shop_with(4), _topic(mocker)
        pending = PublishPending(shop.storage.log, topic, shop.storage.cursors, batch=2)

        await pending()
        await pending()

        first, second = (call.args[0] for call in topic.publish.call_args_list)
        assert first == second

    async def test_a_batch_that_could_not_be_published_is_published_the_next_time(self, mocker: MockerFixture) -> None:
        shop, topic = await _shop_with(6), MemoryTopic()
        kept, lost = topic.publish, chain([None, StreamUnavailable("Kafka", "it is away")], repeat(None))

        async def publish(records: Sequence[LogRecord], on_flushed: OnFlushed = noop) -> None:
            if error := next(lost):
                raise error
            await kept(records, on_flushed)

        mocker.patch.object(MemoryTopic, "publish", side_effect=publish)
        pending = PublishPending(shop.storage.log, topic, shop.storage.cursors, batch=2)
        await pending()

        with pytest.raises(StreamUnavailable):
            await pending()
        while await pending():
            pass

        assert sorted(record.order_id for record in topic.records) == [f"O{number}" for number in range(6)]

    async def test_a_database_that_is_away_while_reading_ahead_is_asked_again(self, mocker: MockerFixture) -> None:
        shop, topic = await _shop_with(4), MemoryTopic()
        log, away = mocker.create_autospec(EventLog, instance=True, spec_set=True), {2}
        log.heads.side_effect = shop.storage.log.heads

        async def read(after: Positions, **bounds: Any) -> Sequence[LogRecord]:
            if log.read.call_count in away:
                raise StorageUnavailable("PostgreSQL", "it is away")
            return await shop.storage.log.read(after, **bounds)

        log.read.side_effect = read
        pending = PublishPending(log, topic, shop.storage.cursors, batch=2)

        published = [await pending() for _ in range(3)]

        assert published == [2, 2, 0]
        assert len({record.event_id for record in topic.records}) == len(topic.records) == 4


def _topic(mocker: MockerFixture) -> Any:
    """A topic that takes what it is given and has no cursors."""
    topic = mocker.create_autospec(RelayTopic, instance=True, spec_set=True)
    topic.cursors.return_value = dict.fromkeys(range(BUCKETS))
    topic.publish.return_value = None
    return topic
