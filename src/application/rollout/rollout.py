"""The rollout: the publishing share and the paused consumers."""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen

from ..maintenance.maintenance_log import MaintenanceEntry
from ..operator_note import OperatorNote

EVERYTHING = 100
"""The default share in per cent."""


@frozen
class RolloutState:
    """The current rollout: ``percent`` of the orders are published, and consumers are ``paused`` with a note."""

    percent: int = EVERYTHING
    paused: Mapping[str, OperatorNote] = field(factory=dict)

    def published_buckets(self, buckets: int) -> int:
        """Return the number of buckets, from 0 on, that are published: for 10 %, 26 of 256."""
        return -(-self.percent * buckets // 100)


class Rollout(Protocol):
    """The storage of the rollout. A change and its entry in the maintenance log are committed together.

    If nothing has to be changed, no entry is written and None is returned. All methods raise StorageUnavailable.
    """

    async def current_rollout(self) -> RolloutState: ...

    async def set_share(self, percent: int, note: OperatorNote) -> MaintenanceEntry | None:
        """Publish ``percent`` of the orders from now on."""
        ...

    async def pause(self, consumer: str, note: OperatorNote) -> MaintenanceEntry | None:
        """Pause ``consumer``."""
        ...

    async def resume(self, consumer: str, note: OperatorNote) -> MaintenanceEntry | None:
        """Resume ``consumer``."""
        ...
