"""The lag of each reader: held back events are not pending, and a paused reader is marked as such."""

from collections.abc import Sequence

from orderflow.adapters.memory import MemoryStorage, MemoryTopic
from orderflow.application.event_log.readers import Readers
from orderflow.application.event_log.records import RELAY
from orderflow.application.health.lag import Lag, ReaderLag
from orderflow.application.operator_note import OperatorNote
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.rollout.cached_rollout import CachedRollout
from orderflow.testing.consumers.shop import Shop

from tests.unit.domain.actors import AT

WORD = OperatorNote(by="ann", reason="phase two", at=AT)
SHARE = 26


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
