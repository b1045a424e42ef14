"""Somebody decides that a paused consumer goes on."""

from attrs import frozen

from .ports import Clock
from .readers import Readers
from .rollout import Rollout, RolloutChange, Word


@frozen
class ResumeConsumer:
    """Within a second the consumer goes on where it stood; nothing that came meanwhile is passed over.

    Answers what was changed, None where it was not paused. Raises InvalidInput for a name that no consumer has,
    StorageUnavailable.
    """

    rollout: Rollout
    readers: Readers
    clock: Clock

    async def __call__(self, consumer: str, *, by: str, why: str) -> RolloutChange | None:
        word = Word(by=by, why=why, at=self.clock())
        return await self.rollout.resume(await self.readers.named(consumer), word)
