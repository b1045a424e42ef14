"""A log that was published, and what a restore to an earlier point makes of it."""

from collections.abc import Sequence

from attrs import define, field
from orderflow.adapters.memory import MemoryTopic
from orderflow.application.event_log.records import Positions
from orderflow.application.operator_note import OperatorNote
from orderflow.application.recovery.epochs import Epoch
from orderflow.application.recovery.repair_log import FindLostEvents, RepairLog, Republish
from orderflow.application.relay.publish_pending import PublishPending
from orderflow.testing.consumers.shop import Shop
from orderflow.testing.orders import in_bucket

from tests.unit.domain.actors import AT

NOTE = {"by": "ann", "reason": "restored to noon"}
BUCKET, OTHER = 7, 8
KEPT, LOST, *LATER = in_bucket(BUCKET, 5)
"""Orders of one bucket: one that every backup has, one that was published and lost, and some taken afterwards."""
(ELSEWHERE,) = in_bucket(OTHER, 1)
"""An order of another bucket, which every backup has."""


@define
class RestoredShop:
    """``lost`` published ``KEPT``, ``ELSEWHERE`` and ``LOST`` on ``topic``; ``shop`` has the first two of them."""

    lost: Shop = field(factory=Shop)
    shop: Shop = field(factory=Shop)
    topic: MemoryTopic = field(factory=MemoryTopic)

    @classmethod
    async def made(cls, *, more: Sequence[str] = ()) -> "RestoredShop":
        """``more`` were taken since the restore."""
        made = cls()
        for shop in (made.lost, made.shop):
            await shop.order(KEPT)
            await shop.order(ELSEWHERE)
            await published(shop, made.topic if shop is made.lost else MemoryTopic())
        await made.lost.order(LOST)
        await published(made.lost, made.topic)
        for order_id in more:
            await made.shop.order(order_id)
        return made

    def relay(self) -> PublishPending:
        """A relay on what is there now, built anew."""
        return relay_of(self.shop, self.topic)

    @property
    def find_lost_events(self) -> FindLostEvents:
        storage = self.shop.storage
        return FindLostEvents(self.topic, storage.log, storage.epochs, storage.cursors, self.topic)

    @property
    def repair(self) -> RepairLog:
        return RepairLog(self.find_lost_events, self.shop.storage.epochs, lambda: AT)

    @property
    def republish(self) -> Republish:
        storage = self.shop.storage
        return Republish(storage.log, storage.epochs, self.topic, lambda: AT)


def relay_of(shop: Shop, topic: MemoryTopic) -> PublishPending:
    storage = shop.storage
    return PublishPending(storage.log, topic, storage.cursors, epochs=storage.epochs, clock=ByHand())


async def published(shop: Shop, topic: MemoryTopic) -> None:
    """All that is pending, with the floor noted."""
    relay = relay_of(shop, topic)
    while await relay():
        pass
    await relay.store_cursors()


def begun(epoch: int, kept: Positions) -> Epoch:
    return Epoch(epoch=epoch, note=OperatorNote(**NOTE, at=AT), kept=kept)


@define
class ByHand:
    """A clock that advances by hand."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now
