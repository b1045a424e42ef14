"""Who changed the rollout, when and why."""

from collections.abc import Sequence

from attrs import frozen

from ..domain.errors import InvalidInput
from .rollout import Rollout, RolloutChange

MOST = 10_000


@frozen
class RolloutHistory:
    """The last changes, the latest first. Raises InvalidInput, StorageUnavailable."""

    rollout: Rollout

    async def __call__(self, *, limit: int = 50) -> Sequence[RolloutChange]:
        if not 1 <= limit <= MOST:
            raise InvalidInput("limit", f"it is {limit}", f"1 to {MOST}")
        return await self.rollout.history(limit=limit)
