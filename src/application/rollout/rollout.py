"""The rollout's vocabulary: which share of the orders is published, which consumers stand still, and who said so."""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen

from ..maintenance.maintenance_log import MaintenanceEntry
from ..operator_note import OperatorNote

EVERYTHING = 100
"""Per cent that are published where nobody ever said otherwise."""


def buckets_of(percent: int, buckets: int) -> int:
    """How many buckets, from 0 on, ``percent`` of the orders are: 10 of 256 are 26, the buckets 0 to 25."""
    return -(-percent * buckets // 100)


@frozen
class RolloutState:
    """``percent`` of the orders are published; the ``paused`` consumers stand still, as somebody said."""

    percent: int = EVERYTHING
    paused: Mapping[str, OperatorNote] = field(factory=dict)

    def published_buckets(self, buckets: int) -> int:
        """How many buckets, from 0 on, are published."""
        return buckets_of(self.percent, buckets)


class Rollout(Protocol):
    """What is in force, kept with the orders; every change and its entry in the history commit together.

    A change that would change nothing is not made, and leaves no entry. All raise StorageUnavailable.
    """

    async def current_rollout(self) -> RolloutState: ...

    async def set_share(self, percent: int, note: OperatorNote) -> MaintenanceEntry | None:
        """Publish ``percent`` of the orders from now on; what was changed, or None where it was so already."""
        ...

    async def pause(self, consumer: str, note: OperatorNote) -> MaintenanceEntry | None:
        """``consumer`` stands still from now on; what was changed, or None where it did already."""
        ...

    async def resume(self, consumer: str, note: OperatorNote) -> MaintenanceEntry | None:
        """``consumer`` goes on from now on; what was changed, or None where it was not paused."""
        ...
