"""The storage of the maintenance log."""

from collections.abc import Collection, Sequence
from typing import Protocol

from .maintenance_log import MaintenanceEntry, MaintenanceKind


class MaintenanceLog(Protocol):
    """All manual changes. Entries are never changed or deleted. All methods raise StorageUnavailable.

    Changes of the rollout and of the epochs write their entry in their own transaction.
    """

    async def record(self, entry: MaintenanceEntry) -> None: ...

    async def history(self, *, limit: int, kinds: Collection[MaintenanceKind] = ()) -> Sequence[MaintenanceEntry]:
        """Return the last ``limit`` entries, of these kinds or of all, the latest first."""
        ...
