"""One consumer's world for a test: where its cursors and effects are kept, on any adapter."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import uuid4

from attrs import frozen
from orderflow.adapters import wire
from orderflow.adapters.memory import MemoryConsumerStores, MemoryStorage
from orderflow.application.analytics.analyse import Analyse
from orderflow.application.consuming.consumer import Consumer
from orderflow.application.consuming.handle_batch import HandleBatch
from orderflow.application.dead_letters.drop import DropDeadLetter
from orderflow.application.dead_letters.redrive import Redrive, RedriveResult
from orderflow.application.replay.rebuild_analytics import RebuildAnalytics
from orderflow.application.replay.replay_events import ReplayEvents
from orderflow.application.replay.replay_range import LogReplaySource, TopicReplaySource
from orderflow.testing.clock import ManualClock as HandClock


@frozen
class World:
    """``storage`` has the cursors, ``effects`` everything that consumers keep; ``clock`` goes by hand."""

    storage: Any
    effects: Any
    clock: HandClock

    def handling(self, consumer: Consumer | None = None, **settings: Any) -> HandleBatch:
        """A new handler of that consumer, as a process of its own would have it; of analytics where none is given."""
        return HandleBatch(
            consumer=consumer or Analyse(),
            store=self.effects.store,
            cursors=self.storage.cursors,
            decode=wire.decode_record,
            clock=self.clock,
            **settings,
        )

    def redriving(self, consumer: Consumer) -> Redrive:
        return Redrive(consumer, self.effects.store, self.effects.dead_letters, wire.decode_record, self.clock)

    def redrive(self, consumer: Consumer) -> Callable[..., Awaitable[RedriveResult]]:
        """As somebody asks for it."""
        return partial(self.redriving(consumer), by="ann", reason="it is mended")

    @property
    def drop(self) -> DropDeadLetter:
        return DropDeadLetter(self.effects.store, self.clock)

    def replaying(self, log: Any, consumer: Consumer | None = None, *, topic: Any = None) -> ReplayEvents:
        """A replay to that consumer, to analytics where none is given, of what ``log`` and ``topic`` have."""
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

    def rebuilding(self, log: Any, consumer: Consumer | None = None, *, page: int = 4) -> RebuildAnalytics:
        """A rebuild of analytics from ``log``, ``page`` events at a time."""
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


def memory_world() -> World:
    storage = MemoryStorage()
    return World(storage, MemoryConsumerStores(storage.cursors), HandClock())
