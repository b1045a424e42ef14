"""Pause a consumer, and resume it."""

from attrs import frozen

from ..clock import Clock
from ..event_log.readers import Readers
from ..maintenance.maintenance_log import MaintenanceEntry
from ..operator_note import OperatorNote
from .rollout import Rollout


@frozen
class PauseConsumer:
    """Pause a consumer: within a second it finishes its batch and handles no more. Its cursors stay where they are.

    Returns the entry in the maintenance log, None if nothing had to be changed. Raises InvalidInput if there is no
    consumer of that name, StorageUnavailable.
    """

    rollout: Rollout
    readers: Readers
    clock: Clock

    async def __call__(self, consumer: str, *, by: str, reason: str) -> MaintenanceEntry | None:
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        return await self.rollout.pause(await self.readers.named(consumer), note)

    async def resume(self, consumer: str, *, by: str, reason: str) -> MaintenanceEntry | None:
        """Resume a paused consumer: within a second it continues at its cursors, and skips nothing."""
        note = OperatorNote(by=by, reason=reason, at=self.clock())
        return await self.rollout.resume(await self.readers.named(consumer), note)
