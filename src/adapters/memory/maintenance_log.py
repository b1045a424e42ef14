"""Repairs in a list."""

from collections.abc import Sequence

from attrs import define, field

from ...application.replay.maintenance_log import Repair


@define(eq=False)
class MemoryRepairs:
    _repairs: list[Repair] = field(factory=list, init=False)

    async def note(self, repair: Repair) -> None:
        self._repairs.append(repair)

    async def history(self, *, limit: int) -> Sequence[Repair]:
        return self._repairs[::-1][:limit]
