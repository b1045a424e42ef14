"""One consumer's world for a test: where its cursors and effects are kept, on any adapter."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from attrs import frozen
from orderflow.adapters import wire
from orderflow.adapters.memory import MemoryEffects, MemoryStorage
from orderflow.application.analyse import Analyse
from orderflow.application.consuming import Consumer
from orderflow.application.drop_letters import DropLetters
from orderflow.application.handle_batch import HandleBatch
from orderflow.application.redrive import Redrive, Redriven

from tests.support.shop import HandClock


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

    def redrive(self, consumer: Consumer) -> Callable[..., Awaitable[Redriven]]:
        """As somebody asks for it."""
        return partial(self.redriving(consumer), by="ann", why="it is mended")

    @property
    def drop(self) -> DropLetters:
        return DropLetters(self.effects.store, self.clock)


def memory_world() -> World:
    storage = MemoryStorage()
    return World(storage, MemoryEffects(storage.cursors), HandClock())
