"""Set the publishing share."""

from attrs import frozen

from ...domain.errors import InvalidInput
from ..clock import Clock
from ..maintenance.maintenance_log import MaintenanceEntry
from ..operator_note import OperatorNote
from .rollout import Rollout


@frozen
class SetPublishingShare:
    """Set the percentage of orders whose events are published.

    Relays and direct publishers follow within a second. Events that are held back are published when the share is
    raised. Returns the entry in the maintenance log, None if the share had this value already. Raises InvalidInput,
    StorageUnavailable.
    """

    rollout: Rollout
    clock: Clock

    async def __call__(self, percent: int, *, by: str, reason: str) -> MaintenanceEntry | None:
        if not 0 <= percent <= 100:
            raise InvalidInput("percent", f"it is {percent}", "a whole number from 0 to 100")
        return await self.rollout.set_share(percent, OperatorNote(by=by, reason=reason, at=self.clock()))
