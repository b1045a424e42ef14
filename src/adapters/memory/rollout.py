"""The rollout in memory."""

from attrs import define, field

from ...application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ...application.operator_note import OperatorNote
from ...application.rollout.rollout import RolloutState


@define(eq=False)
class MemoryRollout:
    _maintenance_log: list[MaintenanceEntry]
    _state: RolloutState = field(factory=RolloutState, init=False)

    async def current_rollout(self) -> RolloutState:
        return self._state

    async def set_share(self, percent: int, note: OperatorNote) -> MaintenanceEntry | None:
        before = self._state.percent
        if before == percent:
            return None
        self._state = RolloutState(percent, self._state.paused)
        return self._record(MaintenanceEntry(kind=MaintenanceKind.SHARE, note=note, before=before, after=percent))

    async def pause(self, consumer: str, note: OperatorNote) -> MaintenanceEntry | None:
        paused = self._state.paused
        if consumer in paused:
            return None
        self._state = RolloutState(self._state.percent, {**paused, consumer: note})
        return self._record(MaintenanceEntry(kind=MaintenanceKind.PAUSE, note=note, consumer=consumer))

    async def resume(self, consumer: str, note: OperatorNote) -> MaintenanceEntry | None:
        paused = dict(self._state.paused)
        if paused.pop(consumer, None) is None:
            return None
        self._state = RolloutState(self._state.percent, paused)
        return self._record(MaintenanceEntry(kind=MaintenanceKind.RESUME, note=note, consumer=consumer))

    def _record(self, entry: MaintenanceEntry) -> MaintenanceEntry:
        self._maintenance_log.append(entry)
        return entry
