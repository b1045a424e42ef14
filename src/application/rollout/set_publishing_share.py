"""Somebody decides which share of the orders is published."""

from attrs import frozen

from ...domain.errors import InvalidInput
from ..clock import Clock
from ..operator_note import OperatorNote
from .rollout import Rollout, RolloutChange


@frozen
class SetPublishingShare:
    """Relays and direct publishers follow within a second; what is held back is published when the share is raised.

    Answers what was changed, None where the share was this already. Raises InvalidInput, StorageUnavailable.
    """

    rollout: Rollout
    clock: Clock

    async def __call__(self, percent: int, *, by: str, reason: str) -> RolloutChange | None:
        if not 0 <= percent <= 100:
            raise InvalidInput("percent", f"it is {percent}", "a whole number from 0 to 100")
        return await self.rollout.set_share(percent, OperatorNote(by=by, reason=reason, at=self.clock()))
