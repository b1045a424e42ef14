"""The rollout in dictionaries."""

from collections.abc import Sequence

from attrs import define, field

from ...application.operator_note import OperatorNote
from ...application.rollout.rollout import ChangeKind, RolloutChange, RolloutState


@define(eq=False)
class MemoryRollout:
    _in_force: RolloutState = field(factory=RolloutState, init=False)
    _changes: list[RolloutChange] = field(factory=list, init=False)

    async def current_rollout(self) -> RolloutState:
        return self._in_force

    async def set_share(self, percent: int, note: OperatorNote) -> RolloutChange | None:
        before = self._in_force.percent
        if before == percent:
            return None
        self._in_force = RolloutState(percent, self._in_force.paused)
        return self._noted(RolloutChange(kind=ChangeKind.SHARE, note=note, before=before, after=percent))

    async def pause(self, consumer: str, note: OperatorNote) -> RolloutChange | None:
        paused = self._in_force.paused
        if consumer in paused:
            return None
        self._in_force = RolloutState(self._in_force.percent, {**paused, consumer: note})
        return self._noted(RolloutChange(kind=ChangeKind.PAUSE, note=note, consumer=consumer))

    async def resume(self, consumer: str, note: OperatorNote) -> RolloutChange | None:
        paused = dict(self._in_force.paused)
        if paused.pop(consumer, None) is None:
            return None
        self._in_force = RolloutState(self._in_force.percent, paused)
        return self._noted(RolloutChange(kind=ChangeKind.RESUME, note=note, consumer=consumer))

    async def history(self, *, limit: int, kind: ChangeKind | None = None) -> Sequence[RolloutChange]:
        wanted = [change for change in reversed(self._changes) if kind in (None, change.kind)]
        return wanted[:limit]

    def _noted(self, change: RolloutChange) -> RolloutChange:
        self._changes.append(change)
        return change
