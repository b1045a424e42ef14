"""The maintenance log as a list."""

from collections.abc import Collection, Sequence

from attrs import define, field

from ...application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind


@define(eq=False)
class MemoryMaintenanceLog:
    entries: list[MaintenanceEntry] = field(factory=list, init=False)

    async def record(self, entry: MaintenanceEntry) -> None:
        self.entries.append(entry)

    async def history(self, *, limit: int, kinds: Collection[MaintenanceKind] = ()) -> Sequence[MaintenanceEntry]:
        return [entry for entry in reversed(self.entries) if not kinds or entry.kind in kinds][:limit]
