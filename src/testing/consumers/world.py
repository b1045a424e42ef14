"""One consumer's world for a test: where its cursors and effects are kept, on any adapter."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

from attrs import evolve, frozen

from ...adapters import wire
from ...adapters.memory import MemoryConsumerStores, MemoryStorage
from ...application.analytics.analyse import Analyse
from ...application.consuming.consumer import Consumer
from ...application.consuming.dead_letter import DeadLetter
from ...application.consuming.handle_batch import HandleBatch
from ...application.dead_letters.drop import DropDeadLetter
from ...application.dead_letters.redrive import Redrive, RedriveResult
from ...application.notifications.notification import Notification
from ...application.replay.rebuild_analytics import RebuildAnalytics
from ...application.replay.replay_events import ReplayEvents
from ...application.replay.replay_range import LogReplaySource, TopicReplaySource
from ..clock import ManualClock as HandClock
from .shop import Shop


@frozen
class World:
    """``storage`` has the cursors, ``effects`` everything that consumers keep; ``clock`` goes by hand."""

    storage: Any
    effects: Any
    clock: HandClock

    def handling(self, consumer: Consumer[Any] | None = None, **settings: Any) -> HandleBatch[Any]:
        """Return a new handler of that consumer, by default analytics, as a process of its own has it."""
        return HandleBatch(
            consumer=consumer or Analyse(),
            store=self.effects.store,
            cursors=self.storage.cursors,
            decode=wire.decode_record,
            clock=self.clock,
            **settings,
        )

    def redriving(self, consumer: Consumer[Any]) -> Redrive[Any]:
        return Redrive(consumer, self.effects.store, self.effects.dead_letters, wire.decode_record, self.clock)

    def redrive(self, consumer: Consumer[Any]) -> Callable[..., Awaitable[RedriveResult]]:
        """Return what redrives, as an operator asks for it."""
        return partial(self.redriving(consumer), by="ann", reason="it is fixed")

    @property
    def drop(self) -> DropDeadLetter:
        return DropDeadLetter(self.effects.store, self.clock)

    def replaying(self, log: Any, consumer: Consumer[Any] | None = None, *, topic: Any = None) -> ReplayEvents[Any]:
        """Return a replay to that consumer, by default analytics, of what ``log`` and ``topic`` have."""
        return ReplayEvents(
            consumer=consumer or Analyse(),
            store=self.effects.store,
            cursors=self.storage.cursors,
            dead_letters=self.effects.dead_letters,
            log=log,
            sources={
                "log": LogReplaySource(log),
                **({} if topic is None else {"topic": TopicReplaySource(topic, self.storage.epochs)}),
            },
            maintenance_log=self.storage.maintenance_log,
            decode=wire.decode_record,
            clock=self.clock,
            buckets=256,
        )

    def rebuilding(self, log: Any, consumer: Consumer[Any] | None = None, *, page: int = 4) -> RebuildAnalytics:
        """Return a rebuild of analytics from ``log``, ``page`` events at a time."""
        return RebuildAnalytics(
            shadow=self.effects.analytics_shadow,
            log=log,
            cursors=self.storage.cursors,
            dead_letters=self.effects.dead_letters,
            queries=self.effects.analytics,
            maintenance_log=self.storage.maintenance_log,
            decode=wire.decode_record,
            clock=self.clock,
            new_id=lambda: str(uuid4()),
            buckets=256,
            consumer=consumer or Analyse(),
            page=page,
        )

    async def dead_letter(self, order_id: str, sequence: int = 1, **changes: Any) -> DeadLetter:
        """Return a dead letter of analytics, now and without an error, of an event of that order's whole life."""
        shop, now = Shop(), self.clock()
        await shop.live(order_id)
        record = (await shop.records())[sequence - 1]
        dead_letter = DeadLetter(consumer="analytics", record=record, first_failed_at=now, last_failed_at=now)
        return evolve(dead_letter, **changes)

    def notification(self, **changes: Any) -> Notification:
        """Return a notification of the customer about the first event of order o1, due now."""
        notification = Notification(
            order_id="o1",
            sequence=1,
            recipient="customer:C1",
            channel="email",
            event_type="order.created",
            address="c1@example.org",
            subject="hello",
            text="there",
            recorded_at=self.clock(),
            due_at=self.clock(),
        )
        return evolve(notification, **changes)

    async def record(self, *notifications: Notification) -> None:
        """Record ``notifications`` as their consumer does."""
        async with self.effects.store("notifications") as work:
            await work.notifications.record(notifications)


def memory_world() -> World:
    storage = MemoryStorage()
    return World(storage, MemoryConsumerStores(storage.cursors, storage.views), HandClock())
