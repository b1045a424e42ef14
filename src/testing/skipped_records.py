"""The promises of every storage of skipped records."""

from typing import Any

from ..application.event_log.records import Origin
from ..application.maintenance.maintenance_log import MaintenanceKind
from ..application.operator_note import OperatorNote
from .orders import AT

NOTE = OperatorNote(by="ann", reason="forged", at=AT)


class SkippedRecordsContract:
    """Subclassed with a fixture ``storage``, empty and open."""

    async def test_skipped_records_are_read_back_by_topic(self, storage: Any) -> None:
        skipped = [await storage.skipped_records.skip(Origin("t", 1, at), NOTE) for at in (7, 2**40)]
        await storage.skipped_records.skip(Origin("other", 0, 1), NOTE)

        assert skipped == [True, True]
        assert set(await storage.skipped_records.places("t")) == {(1, 7), (1, 2**40)}

    async def test_skipping_is_recorded_once(self, storage: Any) -> None:
        again = [await storage.skipped_records.skip(Origin("t", 1, 7), NOTE) for _ in range(2)]

        [entry] = await storage.maintenance_log.history(limit=10)
        assert again == [True, False]
        assert (entry.kind, entry.note, str(entry)) == (MaintenanceKind.SKIP, NOTE, "t partition 1 offset 7")
