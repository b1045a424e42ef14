"""What somebody has consumers do again by hand, and what was made anew: who asked for it, when and why."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from attrs import frozen

from ...domain.errors import InvalidInput
from ..operator_note import OperatorNote

MOST = 1000


class MaintenanceKind(StrEnum):
    REPLAY = "replay"
    REBUILD = "rebuild"
    """It was begun."""
    SWAP = "swap"
    """What was rebuilt took the place of what was there."""


@frozen(kw_only=True)
class MaintenanceEntry:
    """One of them as it was asked for; ``what`` says of what part of the log, or what came of it."""

    kind: MaintenanceKind
    consumer: str
    what: str
    note: OperatorNote


class MaintenanceLog(Protocol):
    """Every repair that was begun, none of which is ever changed or deleted. All raise StorageUnavailable."""

    async def note(self, repair: MaintenanceEntry) -> None: ...

    async def history(self, *, limit: int) -> Sequence[MaintenanceEntry]:
        """The last ones, the latest first."""
        ...


@frozen
class RepairHistory:
    """The last repairs, the latest first. Raises InvalidInput, StorageUnavailable."""

    maintenance_log: MaintenanceLog

    async def __call__(self, *, limit: int = 50) -> Sequence[MaintenanceEntry]:
        if not 1 <= limit <= MOST:
            raise InvalidInput("limit", str(limit), f"1 to {MOST}")
        return await self.maintenance_log.history(limit=limit)
