"""A relay whose database was restored publishes nothing, until the log goes on in a new epoch."""

import logging
from collections.abc import Sequence

import pytest
from orderflow.adapters.memory import MemoryTopic
from orderflow.application.event_log.records import RELAY
from orderflow.domain.errors import LogBehindTopic

from tests.unit.recovery.histories import BUCKET, ELSEWHERE, KEPT, LATER, LOST, ByHand, RestoredShop, begun, published


@pytest.mark.parametrize("more", [[], LATER[:1], LATER], ids=["shorter", "as long", "longer"])
async def test_a_relay_refuses_however_long_the_log_has_become_since(more: Sequence[str]) -> None:
    restored = await RestoredShop.made(more=more)
    before = list(restored.topic.records)

    with pytest.raises(LogBehindTopic, match=f"bucket {BUCKET}"):
        await restored.relay()()

    assert restored.topic.records == before


async def test_a_refusal_does_not_pass_with_time_or_further_orders() -> None:
    restored = await RestoredShop.made()
    for order_id in LATER:
        with pytest.raises(LogBehindTopic):
            await restored.relay()()
        await restored.shop.order(order_id)

    with pytest.raises(LogBehindTopic):
        await restored.relay()()


async def test_another_database_under_a_running_relay_is_seen_before_anything_is_published() -> None:
    restored = await RestoredShop.made(more=LATER)
    clock = ByHand()
    relay = restored.relay()
    relay.clock, relay.log = clock, restored.lost.storage.log
    await relay()
    before = list(restored.topic.records)

    relay.log = restored.shop.storage.log
    clock.now += 1.0
    with pytest.raises(LogBehindTopic):
        await relay()

    assert restored.topic.records == before


async def test_what_a_relay_left_there_itself_is_not_looked_at_again_within_a_second() -> None:
    restored = await RestoredShop.made()
    clock, log = ByHand(), restored.lost.storage.log
    relay = restored.relay()
    relay.clock, relay.log = clock, CountingLog(log)  # type: ignore[assignment]

    for order_id in LATER:
        await restored.lost.order(order_id)
        await relay()
    within = relay.log.looks  # type: ignore[attr-defined]
    clock.now += 1.0
    await restored.lost.order("one-more")
    await relay()

    assert (within, relay.log.looks) == (1, 2)  # type: ignore[attr-defined]


async def test_in_a_new_epoch_it_goes_on_from_where_log_and_topic_part() -> None:
    restored = await RestoredShop.made(more=LATER[:1])
    before = len(restored.topic.records)
    await restored.shop.storage.epochs.begin(begun(2, {BUCKET: 1}))

    while await restored.relay()():
        pass

    (again,) = restored.topic.records[before:]
    assert (again.order_id, again.position, again.epoch) == (LATER[0], 2, 2)


async def test_a_running_relay_goes_on_in_a_new_epoch_within_a_second() -> None:
    restored = await RestoredShop.made()
    clock, relay = ByHand(), restored.relay()
    relay.clock, relay.log = clock, restored.lost.storage.log
    await relay()
    before = len(restored.topic.records)

    await restored.shop.storage.epochs.begin(begun(2, {BUCKET: 0}))
    at_once = await relay()
    clock.now += 1.0
    while await relay():
        pass

    assert at_once == 0
    assert [(it.order_id, it.position, it.epoch) for it in restored.topic.records[before:]] == [
        (KEPT, 1, 2),
        (LOST, 2, 2),
    ]


async def test_a_topic_of_a_later_epoch_than_the_log_is_refused() -> None:
    restored = await RestoredShop.made()
    await restored.lost.storage.epochs.begin(begun(2, {}))
    await restored.lost.order(LATER[0])
    await published(restored.lost, restored.topic)

    with pytest.raises(LogBehindTopic, match="the topic is in epoch 2, the log only in 1"):
        await restored.relay()()


async def test_an_epoch_that_another_relay_has_gone_on_in_already_is_looked_up() -> None:
    restored = await RestoredShop.made()
    relay, storage = restored.relay(), restored.lost.storage
    relay.log, relay.epochs = storage.log, storage.epochs
    await relay()
    await storage.epochs.begin(begun(2, {}))
    await restored.lost.order(LATER[0])
    await published(restored.lost, restored.topic)
    await restored.lost.order(LATER[1])

    assert await relay() == 1
    assert restored.topic.records[-1].epoch == 2


async def test_a_topic_that_forgot_all_is_gone_on_with_from_the_floor_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    restored = await RestoredShop.made()
    shop, empty = restored.lost, MemoryTopic()
    await shop.order(LATER[0])

    with caplog.at_level(logging.WARNING):
        await published(shop, empty)
        await published(shop, empty)

    assert [record.order_id for record in empty.records] == [LATER[0]]
    assert [line.message for line in caplog.records if "Kafka has no cursors" in line.message] != []
    assert await shop.storage.cursors.positions(RELAY) == await shop.storage.log.heads()


async def test_the_first_events_of_a_bucket_are_no_loss(caplog: pytest.LogCaptureFixture) -> None:
    restored = await RestoredShop.made()
    await restored.lost.order("somewhere-else")

    with caplog.at_level(logging.WARNING):
        await published(restored.lost, restored.topic)

    assert caplog.records == []
    assert {ELSEWHERE, "somewhere-else"} <= {record.order_id for record in restored.topic.records}


class CountingLog:
    """A log that counts how often single addresses are looked at."""

    def __init__(self, log: object) -> None:
        self._log = log
        self.looks = 0

    def __getattr__(self, name: str) -> object:
        self.looks += name == "bodies"
        return getattr(self._log, name)
