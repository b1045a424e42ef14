"""One batch of the relay: from Kafka's cursors, or the floor, and never past what the log holds."""

import pytest
from orderflow.adapters.memory import MemoryTopic
from orderflow.application.publish_pending import FLOOR, PublishPending
from orderflow.domain.errors import LogBehindTopic

from tests.support.shop import Shop


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
    await successor.note_floor()

    assert dict(await storage.cursors.positions(FLOOR)) == dict(await storage.log.heads())


async def test_without_cursors_on_the_topic_it_goes_on_from_the_floor() -> None:
    shop, topic = await _shop_with(2), MemoryTopic()
    storage = shop.storage
    first = PublishPending(storage.log, topic, storage.cursors)
    await first()
    await first.note_floor()
    await shop.order("O-later")
    recreated = MemoryTopic()

    published = await PublishPending(storage.log, recreated, storage.cursors)()

    assert published == 1
    assert [record.order_id for record in recreated.records] == ["O-later"]


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
