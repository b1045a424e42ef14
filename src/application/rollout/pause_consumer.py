"""Somebody decides that a consumer stands still."""

from attrs import frozen

from ..clock import Clock
from ..event_log.readers import Readers
from ..operator_note import OperatorNote
from .rollout import Rollout, RolloutChange


@frozen
class PauseConsumer:
    """Within a second the consumer finishes its batch and handles no more; its cursors stay where they are.

    Answers what was changed, None where it was paused already. Raises InvalidInput for a name that no consumer has,
    StorageUnavailable.
    """

    rollout: Rollout
    readers: Readers
    clock: Clock

    async def __call__(self, consumer: str, *, by: str, reason: str) -> RolloutChange | None:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        return await self.rollout.pause(await self.readers.named(consumer), note)


@frozen
class ResumeConsumer:
    """Within a second the consumer goes on where it stood; nothing that came meanwhile is passed over.

    Answers what was changed, None where it was not paused. Raises InvalidInput for a name that no consumer has,
    StorageUnavailable.
    """

    rollout: Rollout
    readers: Readers
    clock: Clock

    async def __call__(self, consumer: str, *, by: str, reason: str) -> RolloutChange | None:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        return await self.rollout.resume(await self.readers.named(consumer), note)
