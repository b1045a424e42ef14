"""The promises of every maintenance log."""

from datetime import timedelta
from typing import Any

from ..application.maintenance.maintenance_log import ROLLOUT, MaintenanceEntry, MaintenanceKind
from ..application.operator_note import OperatorNote
from ..application.recovery.epochs import Epoch
from .orders import AT

NOTE = OperatorNote(by="ann", reason="a table was lost", at=AT)
REPLAY = MaintenanceEntry(
    kind=MaintenanceKind.REPLAY, consumer="analytics", detail="from 0 by the log: 9 events", note=NOTE
)
SWAP = MaintenanceEntry(
    kind=MaintenanceKind.SWAP,
    consumer="analytics",
    detail="3 orders",
    note=OperatorNote(by="bob", reason="§", at=AT + timedelta(1)),
)


class MaintenanceLogContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_entries_are_read_back_unchanged_the_latest_first(self, storage: Any) -> None:
        nothing = await storage.maintenance_log.history(limit=9)
        for entry in (REPLAY, SWAP, REPLAY):
            await storage.maintenance_log.record(entry)

        assert list(nothing) == []
        assert list(await storage.maintenance_log.history(limit=9)) == [REPLAY, SWAP, REPLAY]
        assert list(await storage.maintenance_log.history(limit=2)) == [REPLAY, SWAP]

    async def test_one_history_has_changes_of_every_kind_and_can_be_filtered(self, storage: Any) -> None:
        await storage.maintenance_log.record(REPLAY)
        share = await storage.rollout.set_share(10, NOTE)
        await storage.epochs.begin(Epoch(epoch=4, note=NOTE, kept={}))
        pause = await storage.rollout.pause("analytics", NOTE)

        epoch = MaintenanceEntry(kind=MaintenanceKind.EPOCH, note=NOTE, before=1, after=4)
        assert list(await storage.maintenance_log.history(limit=9)) == [pause, epoch, share, REPLAY]
        assert list(await storage.maintenance_log.history(limit=9, kinds=ROLLOUT)) == [pause, share]
        assert list(await storage.maintenance_log.history(limit=1, kinds=[MaintenanceKind.SHARE])) == [share]

    async def test_a_change_that_is_refused_leaves_no_entry(self, storage: Any) -> None:
        await storage.rollout.resume("analytics", NOTE)
        await storage.rollout.set_share(100, NOTE)
        await storage.epochs.begin(Epoch(epoch=1, note=NOTE, kept={}))

        assert list(await storage.maintenance_log.history(limit=9)) == []
