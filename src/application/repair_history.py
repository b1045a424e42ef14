"""Somebody looks at what was replayed and rebuilt by hand."""

from collections.abc import Sequence

from attrs import frozen

from ..domain.errors import InvalidInput
from .repairs import Repair, Repairs

MOST = 1000


@frozen
class RepairHistory:
    """The last repairs, the latest first. Raises InvalidInput, StorageUnavailable."""

    repairs: Repairs

    async def __call__(self, *, limit: int = 50) -> Sequence[Repair]:
        if not 1 <= limit <= MOST:
            raise InvalidInput("limit", str(limit), f"1 to {MOST}")
        return await self.repairs.history(limit=limit)
