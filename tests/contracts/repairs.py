"""What every place that keeps repairs promises."""

from datetime import timedelta
from typing import Any

from orderflow.application.operator_note import OperatorNote
from orderflow.application.replay.maintenance_log import MaintenanceEntry, MaintenanceKind

from tests.unit.domain.actors import AT

REPLAY = MaintenanceEntry(
    kind=MaintenanceKind.REPLAY,
    consumer="analytics",
    what="from 0 by the log: 9 events",
    note=OperatorNote(by="ann", reason="a table was lost", at=AT),
)
SWAP = MaintenanceEntry(
    kind=MaintenanceKind.SWAP,
    consumer="analytics",
    what="3 courses",
    note=OperatorNote(by="bob", reason="§", at=AT + timedelta(1)),
)


class RepairsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_repairs_are_told_whole_the_latest_first(self, storage: Any) -> None:
        nothing = await storage.maintenance_log.history(limit=9)
        for repair in (REPLAY, SWAP, REPLAY):
            await storage.maintenance_log.note(repair)

        assert list(nothing) == []
        assert list(await storage.maintenance_log.history(limit=9)) == [REPLAY, SWAP, REPLAY]
        assert list(await storage.maintenance_log.history(limit=2)) == [REPLAY, SWAP]
