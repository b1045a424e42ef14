"""Lost events are reported; in the epoch of the repair all agrees again, also what is published again."""

from collections.abc import Sequence
from typing import Any

import pytest
from orderflow.adapters.memory import MemoryConsumerStores, MemoryTopic
from orderflow.adapters.wire import decode_record
from orderflow.application.check.orders_and_log import CheckOrdersAndLog
from orderflow.application.check.report import CheckReport
from orderflow.application.check.topic import CheckTopic
from orderflow.application.consuming.consumer import BatchResult
from orderflow.application.event_log.records import RELAY
from orderflow.application.recovery.epochs import BEGINNING, Epochs
from orderflow.application.recovery.repair_log import LostOrder, RepairLog
from orderflow.application.recovery.restore_guard import RestoreGuard
from orderflow.domain.errors import Conflict, InvalidInput
from orderflow.testing.consumers.shop import Shop
from orderflow.testing.consumers.world import World

from tests.unit.recovery.histories import (
    BUCKET,
    ELSEWHERE,
    KEPT,
    LATER,
    LOST,
    NOTE,
    OTHER,
    RestoredShop,
    begun,
    published,
)


async def checked(shop: Shop, topic: MemoryTopic) -> CheckReport:
    """The log against the orders and the topic."""
    report, storage = CheckReport(), shop.storage
    heads = dict(await storage.log.heads())
    folded = await CheckOrdersAndLog(storage.log, storage.audit, decode_record, storage.buckets)(report, heads)
    await CheckTopic(topic, storage.log, decode_record, epochs=storage.epochs)(report, folded, heads)
    return report


class TestFindLostEvents:
    async def test_where_log_and_topic_agree_nothing_is_lost_and_nothing_is_begun(self) -> None:
        restored = await RestoredShop.made()
        restored.shop = restored.lost

        repaired = await restored.repair(**NOTE)

        assert (repaired.loss.records, repaired.loss.any, repaired.begun) == (3, False, None)
        assert repaired.loss.expired == 0
        assert await restored.shop.storage.epochs.all() == BEGINNING

    @pytest.mark.parametrize("more", [[], LATER], ids=["shorter", "longer"])
    async def test_events_that_only_the_topic_has_are_reported_by_order(self, more: Sequence[str]) -> None:
        restored = await RestoredShop.made(more=more)

        loss = await restored.find_lost_events()

        assert (loss.events, loss.orders_concerned, dict(loss.kept)) == (1, 1, {BUCKET: 1})
        assert list(loss.orders) == [LostOrder(order_id=LOST, events=1, in_log=0)]

    async def test_an_order_with_lost_events_is_reported_with_the_number_that_is_left(self) -> None:
        restored = await RestoredShop.made()
        await restored.lost.assign(KEPT)
        await published(restored.lost, restored.topic)

        loss = await restored.find_lost_events()

        assert LostOrder(order_id=KEPT, events=2, in_log=1) in loss.orders

    async def test_what_the_topic_has_deleted_since_is_known_by_the_cursors(self) -> None:
        restored = await RestoredShop.made(more=LATER)
        restored.topic.records.clear()

        loss = await restored.find_lost_events()

        assert (loss.events, dict(loss.kept)) == (0, {BUCKET: 1})

    async def test_events_that_were_published_and_that_the_topic_has_deleted_are_counted(self) -> None:
        restored = await RestoredShop.made()
        restored.shop = restored.lost
        del restored.topic.records[:2]

        loss = await restored.find_lost_events()

        assert (loss.records, loss.expired, loss.any) == (1, 2, False)

    async def test_looking_changes_nothing(self) -> None:
        restored = await RestoredShop.made(more=LATER)
        before = list(restored.topic.records), await restored.shop.storage.cursors.positions(RELAY)

        await restored.find_lost_events()

        assert (restored.topic.records, await restored.shop.storage.cursors.positions(RELAY)) == before
        assert await restored.shop.storage.epochs.all() == BEGINNING


class TestRepairLog:
    @pytest.mark.parametrize("more", [[], LATER[:1], LATER], ids=["shorter", "as long", "longer"])
    async def test_relay_consumers_and_check_go_on_and_agree(self, more: Sequence[str]) -> None:
        restored = await RestoredShop.made(more=more)

        repaired = await restored.repair(**NOTE)
        await published(restored.shop, restored.topic)
        report = await checked(restored.shop, restored.topic)

        assert repaired.begun == begun(2, {BUCKET: 1})
        assert report.clean, report
        assert report.notes == ["not compared: 1 record of earlier epochs on the topic"]
        assert await _handled(restored.shop, restored.topic) == BatchResult(events=2 + len(more), superseded=1)

    async def test_what_agrees_is_not_published_again(self) -> None:
        restored = await RestoredShop.made(more=LATER)
        before = len(restored.topic.records)

        await restored.repair(**NOTE)
        await published(restored.shop, restored.topic)

        assert [record.order_id for record in restored.topic.records[before:]] == LATER

    async def test_a_repaired_log_needs_no_repair(self) -> None:
        restored = await RestoredShop.made(more=LATER)
        await restored.repair(**NOTE)
        await published(restored.shop, restored.topic)

        again = await restored.repair(**NOTE)

        assert (again.begun, again.loss.superseded) == (None, 1)

    async def test_a_database_from_before_its_repair_goes_on_in_a_later_epoch_than_the_topics(self) -> None:
        restored = await RestoredShop.made(more=LATER[:1])
        await restored.repair(**NOTE)
        await published(restored.shop, restored.topic)
        again = await RestoredShop.made(more=LATER[1:])
        again.topic = restored.topic

        repaired = await again.repair(**NOTE)
        await published(again.shop, again.topic)
        report = await checked(again.shop, again.topic)

        assert repaired.begun == begun(3, {BUCKET: 1})
        assert report.clean, report

    async def test_of_two_repairs_at_once_one_is_refused(self) -> None:
        restored = await RestoredShop.made()
        epochs = restored.shop.storage.epochs
        repair = restored.repair

        class Slow:
            async def __call__(self) -> Any:
                found = await repair.find_lost_events()
                await epochs.begin(begun(2, {BUCKET: 1}))
                return found

        with pytest.raises(Conflict, match="epoch 2 was begun by another process"):
            await RepairLog(Slow(), epochs, repair.clock)(**NOTE)  # type: ignore[arg-type]

    @pytest.mark.parametrize("word", [{"by": "", "reason": "x"}, {"by": "ann", "reason": " "}])
    async def test_a_repair_records_who_and_why(self, word: dict[str, str]) -> None:
        restored = await RestoredShop.made()

        with pytest.raises(InvalidInput):
            await restored.repair(**word)

        assert await restored.shop.storage.epochs.all() == BEGINNING


class TestRepublish:
    async def test_all_history_stands_on_a_new_topic_once_and_in_order(self) -> None:
        restored = await RestoredShop.made()
        shop, restored.topic = restored.lost, MemoryTopic()
        restored.shop = shop
        await published(shop, restored.topic)

        await restored.republish(**NOTE)
        await published(shop, restored.topic)
        report = await checked(shop, restored.topic)

        assert {(it.order_id, it.epoch) for it in restored.topic.records} == {(KEPT, 2), (ELSEWHERE, 2), (LOST, 2)}
        assert report.clean, report
        assert await shop.storage.cursors.positions(RELAY) == {BUCKET: 2, OTHER: 1}

    async def test_on_the_same_topic_what_was_there_counts_no_more_and_effects_stay_as_they_are(self) -> None:
        restored = await RestoredShop.made()
        restored.shop = shop = restored.lost
        first = await _handled(shop, restored.topic)

        await restored.republish(**NOTE)
        await published(shop, restored.topic)
        report = await checked(shop, restored.topic)

        assert (first.events, len(restored.topic.records)) == (3, 6)
        assert await _handled(shop, restored.topic) == BatchResult(duplicates=3, superseded=3)
        assert report.clean, report

    async def test_its_epoch_is_later_than_any_on_the_topic(self) -> None:
        restored = await RestoredShop.made()
        await restored.lost.storage.epochs.begin(begun(5, {}))
        await restored.lost.order(LATER[0])
        await published(restored.lost, restored.topic)

        assert (await restored.republish(**NOTE)).epoch == 6


async def _handled(shop: Shop, topic: MemoryTopic) -> BatchResult:
    """Return the effects of a consumer that reads the whole topic."""
    storage = shop.storage
    world = World(storage, MemoryConsumerStores(storage.cursors), shop.clock)
    return await world.handling(restore_guard=RestoreGuard(storage.log, storage.epochs))(topic.records)


def test_of_several_epochs_the_least_that_is_kept_counts() -> None:
    epochs = Epochs((begun(2, {1: 70}), begun(3, {2: 5}), begun(5, {1: 90, 2: 3})))

    assert [epochs.kept(1, epoch) for epoch in (1, 2, 3, 4, 5)] == [70, 90, 90, 90, None]
    assert [epochs.kept(2, epoch) for epoch in (1, 2, 3, 5)] == [3, 3, 3, None]
    assert epochs.effective({1: 80, 2: 2, 3: 9}, 1) == {1: 70, 2: 2, 3: 9}
