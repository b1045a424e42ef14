"""The records of the topic that operators skip, in memory."""

from attrs import define, field

from ...application.event_log.records import Origin
from ...application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ...application.operator_note import OperatorNote
from ...application.recovery.skip_record import Places


@define(eq=False)
class MemorySkippedRecords:
    _maintenance_log: list[MaintenanceEntry]
    _records: set[Origin] = field(factory=set, init=False)

    async def places(self, topic: str) -> Places:
        return frozenset((each.partition, each.offset) for each in self._records if each.topic == topic)

    async def skip(self, record: Origin, note: OperatorNote) -> bool:
        if record in self._records:
            return False
        self._records.add(record)
        self._maintenance_log.append(MaintenanceEntry(kind=MaintenanceKind.SKIP, note=note, detail=str(record)))
        return True
