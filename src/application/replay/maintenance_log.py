"""What somebody has consumers do again by hand, and what was made anew: who asked for it, when and why."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from attrs import frozen

from ...domain.errors import InvalidInput
from ..operator_note import Word

MOST = 1000


class RepairKind(StrEnum):
    REPLAY = "replay"
    REBUILD = "rebuild"
    """It was begun."""
    SWAP = "swap"
    """What was rebuilt took the place of what was there."""


@frozen(kw_only=True)
class Repair:
    """One of them as it was asked for; ``what`` says of what part of the log, or what came of it."""

    kind: RepairKind
    consumer: str
    what: str
    word: Word


class Repairs(Protocol):
    """Every repair that was begun, none of which is ever changed or deleted. All raise StorageUnavailable."""

    async def note(self, repair: Repair) -> None: ...

    async def history(self, *, limit: int) -> Sequence[Repair]:
        """The last ones, the latest first."""
        ...


@frozen
class RepairHistory:
    """The last repairs, the latest first. Raises InvalidInput, StorageUnavailable."""

    repairs: Repairs

    async def __call__(self, *, limit: int = 50) -> Sequence[Repair]:
        if not 1 <= limit <= MOST:
            raise InvalidInput("limit", str(limit), f"1 to {MOST}")
        return await self.repairs.history(limit=limit)
