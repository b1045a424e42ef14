"""The lag of readers in events, and the age of the oldest event that waits; held back events are not pending."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from orderflow.adapters.memory import MemoryStorage, MemoryTopic
from orderflow.application.event_log.readers import Readers
from orderflow.application.event_log.records import RELAY, bucket_of
from orderflow.application.health.lag import Lag, ReaderLag
from orderflow.application.operator_note import OperatorNote
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.rollout.cached_rollout import CachedRollout
from orderflow.testing.consumers.shop import Shop
from orderflow.testing.orders import placed

from tests.unit.domain.actors import AT

WORD = OperatorNote(by="tests", reason="to see", at=AT)
SHARE = 26
"""The buckets of ten per cent."""


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def lag(storage: MemoryStorage) -> Lag:
    readers = Readers(storage.cursors, ("analytics",), True)
    return Lag(storage.log, storage.cursors, readers, storage.rollout, storage.buckets)


async def lags(lag: Lag) -> Mapping[str, ReaderLag]:
    return {each.reader: each for each in await lag()}


async def test_a_reader_is_at_the_sum_of_its_cursors(storage: MemoryStorage, lag: Lag) -> None:
    for order_id in ("o1", "o2"):
        await placed(storage, order_id)

    await storage.cursors.put("relay", {bucket_of("o1"): 1})

    assert ((await lags(lag))["relay"].position, (await lags(lag))["relay"].events) == (1, 1)


async def test_who_waits_for_nothing_has_no_oldest_event(storage: MemoryStorage, lag: Lag) -> None:
    await placed(storage, "o1")
    await storage.cursors.put("relay", await storage.log.heads())
    await storage.cursors.put("analytics", await storage.log.heads())

    assert await lag.oldest() == {}


async def test_the_oldest_event_is_the_oldest_of_those_that_come_next(storage: MemoryStorage, lag: Lag) -> None:
    for minutes, order_id in enumerate(("o1", "o2", "o3")):
        await placed(storage, order_id, at=AT + timedelta(minutes=minutes))
    await storage.cursors.put("relay", {bucket_of("o1"): 1})

    oldest = await lag.oldest()

    assert oldest == {"relay": AT + timedelta(minutes=1), "analytics": AT}


async def test_held_back_events_are_not_pending(storage: MemoryStorage, lag: Lag) -> None:
    await placed(storage, "o1")

    await storage.rollout.set_share(0, WORD)

    assert await lag.oldest() == {}
    assert (await lags(lag))["relay"].held == 1


class Installation:
    """A log of some orders, of which ``inside`` events are in the buckets of ten per cent, and ``outside`` are not."""

    def __init__(self, storage: MemoryStorage, *, relayed: bool) -> None:
        self.storage = storage
        self.lag = Lag(
            log=storage.log,
            cursors=storage.cursors,
            readers=Readers(storage.cursors, ("analytics", "inventory"), relayed),
            rollout=storage.rollout,
            buckets=storage.buckets,
        )

    @classmethod
    async def with_orders(cls, *, relayed: bool = True) -> "Installation":
        shop = Shop()
        for number in range(60):
            await shop.order(f"O{number}")
        await shop.storage.rollout.set_share(10, WORD)
        return cls(shop.storage, relayed=relayed)

    async def relay(self) -> None:
        current_rollout = CachedRollout(self.storage.rollout, lambda: self.storage.buckets, every=0)
        pending = PublishPending(
            self.storage.log, MemoryTopic(), self.storage.cursors, share=current_rollout.published_buckets
        )
        while await pending():
            continue
        await pending.store_cursors()

    async def events(self, *, inside: bool) -> int:
        heads = await self.storage.log.heads()
        return sum(head for bucket, head in heads.items() if (bucket < SHARE) is inside)

    async def of(self, reader: str) -> ReaderLag:
        found: Sequence[ReaderLag] = await self.lag()
        return next(each for each in found if each.reader == reader)


async def test_the_relay_is_to_come_to_the_share_and_the_rest_is_held() -> None:
    there = await Installation.with_orders()

    relay = await there.of(RELAY)

    assert relay.events == await there.events(inside=True) > 0
    assert relay.held == await there.events(inside=False) > 0


async def test_a_relay_that_has_published_the_share_has_caught_up() -> None:
    there = await Installation.with_orders()

    await there.relay()

    relay = await there.of(RELAY)
    assert (relay.events, relay.pending) == (0, False)
    assert relay.held == await there.events(inside=False)


async def test_a_consumer_of_the_topic_is_to_come_to_what_gets_there() -> None:
    there = await Installation.with_orders()
    await there.relay()

    consumer = await there.of("analytics")

    assert consumer.events == await there.events(inside=True)
    assert consumer.held == await there.events(inside=False)


async def test_what_was_published_before_the_share_was_lowered_is_still_to_come_to_consumers() -> None:
    there = await Installation.with_orders()
    await there.storage.rollout.set_share(100, WORD)
    await there.relay()
    await there.storage.rollout.set_share(0, WORD)

    consumer = await there.of("analytics")

    assert consumer.events == await there.events(inside=True) + await there.events(inside=False)
    assert consumer.held == 0


async def test_a_reader_of_the_log_itself_waits_for_all_of_it() -> None:
    there = await Installation.with_orders(relayed=False)

    found = [await there.of(reader) for reader in ("analytics", "inventory")]

    everything = sum((await there.storage.log.heads()).values())
    assert [(each.events, each.held) for each in found] == [(everything, 0)] * 2


async def test_a_paused_consumer_has_nothing_pending() -> None:
    there = await Installation.with_orders(relayed=False)

    await there.storage.rollout.pause("analytics", WORD)

    paused, running = await there.of("analytics"), await there.of("inventory")
    assert (paused.paused, paused.pending) == (True, False)
    assert (running.paused, running.pending) == (False, True)
    assert paused.events == running.events > 0
