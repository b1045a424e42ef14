"""What every place that keeps repairs promises."""

from datetime import timedelta
from typing import Any

from orderflow.application.operator_note import Word
from orderflow.application.replay.maintenance_log import Repair, RepairKind

from tests.unit.domain.cast import AT

REPLAY = Repair(
    kind=RepairKind.REPLAY,
    consumer="analytics",
    what="from 0 by the log: 9 events",
    word=Word(by="ann", why="a table was lost", at=AT),
)
SWAP = Repair(
    kind=RepairKind.SWAP, consumer="analytics", what="3 courses", word=Word(by="bob", why="§", at=AT + timedelta(1))
)


class RepairsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_repairs_are_told_whole_the_latest_first(self, storage: Any) -> None:
        nothing = await storage.repairs.history(limit=9)
        for repair in (REPLAY, SWAP, REPLAY):
            await storage.repairs.note(repair)

        assert list(nothing) == []
        assert list(await storage.repairs.history(limit=9)) == [REPLAY, SWAP, REPLAY]
        assert list(await storage.repairs.history(limit=2)) == [REPLAY, SWAP]
