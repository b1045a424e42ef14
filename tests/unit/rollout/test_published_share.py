"""The relay publishes the buckets of the share; what it holds back is published in order when the share is raised."""

import pytest
from orderflow.adapters.memory import MemoryTopic
from orderflow.application.event_log.records import BUCKETS, LogRecord
from orderflow.application.operator_note import OperatorNote
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.application.rollout.cached_rollout import CachedRollout
from orderflow.application.rollout.rollout import RolloutState
from orderflow.domain.errors import LogBehindTopic
from orderflow.testing.consumers.shop import Shop

from tests.unit.domain.actors import AT

ORDERS = 60
WORD = OperatorNote(by="ann", reason="phase two", at=AT)


class Relay:
    """A relay on a shop of its own, whose share is looked up before every batch."""

    def __init__(self, *, batch: int = 7) -> None:
        self.shop, self.topic = Shop(), MemoryTopic()
        self.storage = self.shop.storage
        current_rollout = CachedRollout(self.storage.rollout, lambda: self.storage.buckets, every=0)
        self.pending = PublishPending(
            self.storage.log, self.topic, self.storage.cursors, batch=batch, share=current_rollout.published_buckets
        )

    async def orders(self, name: str) -> None:
        for number in range(ORDERS):
            await self.shop.order(f"{name}-{number}")

    async def set_share(self, percent: int) -> None:
        await self.storage.rollout.set_share(percent, WORD)

    async def publish(self) -> int:
        """RelayBatch after batch until nothing is left to publish; how many events."""
        published = 0
        while news := await self.pending():
            published += news
        return published

    async def logged(self) -> list[LogRecord]:
        return list(await self.storage.log.read(dict.fromkeys(range(BUCKETS), 0), limit=100_000))


def by_address(records: list[LogRecord]) -> dict[int, list[int]]:
    """Positions as they stand there, by bucket."""
    found: dict[int, list[int]] = {}
    for record in records:
        found.setdefault(record.bucket, []).append(record.position)
    return found


@pytest.mark.parametrize(("percent", "buckets"), [(0, 0), (1, 3), (10, 26), (50, 128), (99, 254), (100, 256)])
def test_a_share_is_so_many_buckets_from_the_first(percent: int, buckets: int) -> None:
    assert RolloutState(percent).published_buckets(BUCKETS) == buckets


async def test_only_the_buckets_of_the_share_are_published() -> None:
    relay = Relay()
    await relay.orders("early")
    await relay.set_share(10)

    await relay.publish()

    logged = await relay.logged()
    assert by_address(relay.topic.records) == by_address([each for each in logged if each.bucket < 26])
    assert any(each.bucket >= 26 for each in logged)


async def test_nothing_is_published_at_none() -> None:
    relay = Relay()
    await relay.orders("early")
    await relay.set_share(0)

    assert await relay.publish() == 0
    assert relay.topic.records == []


async def test_what_was_held_back_is_published_in_order_and_once_when_the_share_is_raised() -> None:
    relay = Relay()

    for step, percent in enumerate((0, 10, 50, 100, 0, 100)):
        await relay.orders(f"step-{step}")
        await relay.set_share(percent)
        await relay.publish()

    assert by_address(relay.topic.records) == by_address(await relay.logged())


async def test_a_lower_share_takes_nothing_back_and_publishes_no_more() -> None:
    relay = Relay()
    await relay.orders("early")
    await relay.publish()
    before = list(relay.topic.records)
    await relay.set_share(0)
    await relay.orders("late")

    published = await relay.publish()

    assert published == 0
    assert relay.topic.records == before


async def test_a_share_that_is_lowered_stops_a_relay_that_is_far_behind() -> None:
    relay = Relay(batch=5)
    await relay.orders("early")
    await relay.pending()
    await relay.set_share(0)

    assert await relay.publish() == 0
    assert len(relay.topic.records) == 5


async def test_a_log_that_was_restored_is_noticed_also_while_its_buckets_are_held_back() -> None:
    relay = Relay()
    await relay.orders("early")
    await relay.publish()
    restored = Relay()
    restored.pending = PublishPending(
        restored.storage.log, relay.topic, restored.storage.cursors, share=relay.pending.share
    )
    await relay.set_share(0)

    with pytest.raises(LogBehindTopic):
        await restored.publish()
