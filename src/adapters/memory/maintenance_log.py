"""Repairs in a list."""

from collections.abc import Sequence

from attrs import define, field

from ...application.replay.maintenance_log import MaintenanceEntry


@define(eq=False)
class MemoryMaintenanceLog:
    _repairs: list[MaintenanceEntry] = field(factory=list, init=False)

    async def note(self, repair: MaintenanceEntry) -> None:
        self._repairs.append(repair)

    async def history(self, *, limit: int) -> Sequence[MaintenanceEntry]:
        return self._repairs[::-1][:limit]
