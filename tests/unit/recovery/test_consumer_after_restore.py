"""A consumer whose database was restored handles nothing that the log has not, and passes over what is void."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from orderflow.adapters.memory import MemoryConsumerStores, MemoryTopic
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.backoff import Backoff
from orderflow.application.consuming.consumer import BatchResult
from orderflow.application.consuming.handle_batch import HandleBatch
from orderflow.application.consuming.run_consumer import RunConsumer
from orderflow.application.recovery.restore_guard import MissedEvents, RestoreGuard
from orderflow.domain.errors import LogBehindTopic, LogGap
from orderflow.testing.consumers.world import World

from tests.support.waiting import eventually_async
from tests.unit.consuming.test_run_consumer import Tape
from tests.unit.recovery.histories import BUCKET, ELSEWHERE, KEPT, LATER, LOST, OTHER, RestoredShop, begun, published


def handling(restored: RestoredShop) -> HandleBatch:
    storage = restored.shop.storage
    world = World(storage, MemoryConsumerStores(storage.cursors), restored.shop.clock)
    return world.handling(restore_guard=RestoreGuard(storage.log, storage.epochs))


def missed_events(restored: RestoredShop, *read: int) -> MissedEvents:
    """Of a consumer that has read the one partition of the topic in memory to its end, or those that are given."""

    async def heard_out() -> Collection[int]:
        return read or (0,)

    storage = restored.shop.storage
    return MissedEvents("analytics", restored.topic, storage.log, storage.epochs, storage.cursors, heard_out)


@pytest.mark.parametrize("more", [[], LATER], ids=["shorter", "longer"])
async def test_an_event_that_the_log_has_not_is_refused_with_all_of_its_batch(more: list[str]) -> None:
    restored = await RestoredShop.made(more=more)

    with pytest.raises(LogBehindTopic, match=f"an event of order {LOST} at position 2"):
        await handling(restored)(restored.topic.records)

    assert await restored.shop.storage.cursors.positions("analytics") == {}


async def test_an_event_of_a_later_epoch_than_the_logs_is_refused() -> None:
    restored = await RestoredShop.made()

    with pytest.raises(LogBehindTopic, match="the topic is in epoch 2, the log only in 1"):
        await handling(restored)([restored.topic.records[0]._replace(epoch=2)])


async def test_what_a_later_epoch_superseded_is_passed_over_and_counted() -> None:
    restored = await RestoredShop.made(more=LATER[:1])
    await restored.shop.storage.epochs.begin(begun(2, {BUCKET: 1}))
    await published(restored.shop, restored.topic)

    handled = await handling(restored)(restored.topic.records)

    assert handled == BatchResult(events=3, superseded=1)
    assert await restored.shop.storage.cursors.positions("analytics") == await restored.shop.storage.log.heads()


async def test_an_epoch_that_is_begun_while_it_runs_is_seen_at_the_first_event_that_is_void() -> None:
    restored = await RestoredShop.made(more=LATER[:1])
    handle, records = handling(restored), restored.topic.records
    first = await handle([it for it in records if it.order_id in (KEPT, ELSEWHERE)])
    await restored.shop.storage.epochs.begin(begun(2, {BUCKET: 1}))
    void = [it for it in records if it.order_id == LOST]

    overtaken, again = await handle(void), await handle(void)

    assert (first.events, overtaken, again) == (2, BatchResult(), BatchResult(superseded=1))


async def test_the_log_is_asked_once_a_batch_however_many_records_it_has() -> None:
    restored = await RestoredShop.made()
    for order_id in LATER:
        await restored.shop.live(order_id)
    asked: list[Any] = []
    handle, log = handling(restored), restored.shop.storage.log

    class IdempotentRequest:
        async def bodies(self, addresses: Any) -> Any:
            asked.append(addresses)
            return await log.bodies(addresses)

    handle.restore_guard = RestoreGuard(IdempotentRequest(), restored.shop.storage.epochs)  # type: ignore[arg-type]
    later = [record for record in await restored.shop.records() if record.order_id in LATER]
    await handle(await restored.shop.records_of(KEPT, ELSEWHERE))
    handled = await handle(sorted(later, key=lambda record: record.position))

    assert handled.events == 21
    assert asked[1:] == [[(BUCKET, 22)]]


class TestListening:
    """A consumer that hears nothing asks whether there is something to hear."""

    async def test_no_event_is_missed_once_all_is_handled(self) -> None:
        restored = await RestoredShop.made()
        restored.shop = restored.lost
        await handling(restored)(restored.topic.records)

        assert await missed_events(restored)() is None

    async def test_an_event_on_the_topic_that_is_not_handled_is_missed(self) -> None:
        restored = await RestoredShop.made()
        restored.shop = restored.lost
        await handling(restored)([it for it in restored.topic.records if it.order_id != LOST])

        gap = await missed_events(restored)()

        assert gap is not None
        assert gap.context() == {"reader": "analytics", "bucket": BUCKET, "cursor": 1, "position": 3}

    async def test_an_event_on_a_deleted_topic_is_missed(self) -> None:
        restored = await RestoredShop.made()
        restored.shop, restored.topic = restored.lost, MemoryTopic()

        gap = await missed_events(restored)()

        assert gap is not None
        assert (gap.cursor, gap.bucket in (BUCKET, OTHER)) == (0, True)

    async def test_an_event_for_another_member_of_the_group_or_yet_to_come_is_not_missed(self) -> None:
        restored = await RestoredShop.made()
        restored.shop = restored.lost

        assert await missed_events(restored)() is not None
        assert await missed_events(restored, 1, 2)() is None

    @pytest.mark.parametrize("more", [[], LATER], ids=["shorter", "longer"])
    async def test_a_topic_that_has_what_the_log_has_not_is_refused(self, more: list[str]) -> None:
        restored = await RestoredShop.made(more=more)

        with pytest.raises(LogBehindTopic):
            await missed_events(restored)()

    async def test_a_void_event_is_not_missed(self) -> None:
        restored = await RestoredShop.made()
        await restored.shop.storage.epochs.begin(begun(2, {BUCKET: 1}))
        await handling(restored)(restored.topic.records)

        assert await missed_events(restored)() is None

    async def test_a_topic_of_a_later_epoch_is_refused(self) -> None:
        restored = await RestoredShop.made()
        await restored.lost.storage.epochs.begin(begun(2, {}))
        await restored.lost.order(LATER[0])
        await published(restored.lost, restored.topic)

        with pytest.raises(LogBehindTopic, match="epoch 2"):
            await missed_events(restored)()

    async def test_an_event_that_stays_missed_is_reported_and_read_again(self) -> None:
        missing, tape, errors = LogGap("analytics", BUCKET, 1, 3), Tape([]), list[Exception]()

        async def something() -> LogGap:
            return missing

        run = _run(tape, missed_events=something, failed=errors.append)
        stop = asyncio.Event()
        running = asyncio.create_task(run(stop))
        await eventually_async(lambda: tape.rewinds >= 2)
        stop.set()
        await running

        assert errors[0] == missing
        assert run.gaps >= 2

    async def test_what_comes_by_itself_is_not_read_again(self) -> None:
        gaps = iter([LogGap("analytics", BUCKET, at, at + 2) for at in range(5)])
        tape, asked = Tape([]), list[LogGap | None]()

        async def less_and_less() -> LogGap | None:
            asked.append(next(gaps, None))
            return asked[-1]

        stop = asyncio.Event()
        running = asyncio.create_task(_run(tape, missed_events=less_and_less)(stop))
        await eventually_async(lambda: len(asked) > 5)
        stop.set()
        await running

        assert tape.rewinds == 0

    async def test_a_refusal_ends_the_consumer_and_is_reported(self) -> None:
        errors = list[Exception]()

        async def refuse() -> LogGap | None:
            raise LogBehindTopic(BUCKET, 1, 2)

        tape = Tape([])
        with pytest.raises(LogBehindTopic):
            await _run(tape, missed_events=refuse, failed=errors.append)(asyncio.Event())

        assert tape.closed
        assert [type(error) for error in errors] == [LogBehindTopic]


def _run(tape: Tape, **settings: Any) -> RunConsumer:
    async def handle(_: object) -> BatchResult:
        return BatchResult()

    return RunConsumer(
        source=tape, handle_batch=handle, consumer=Analyse(), check_backoff=Backoff(0.001, 0.002), **settings
    )
