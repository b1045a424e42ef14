"""Epochs of the log: which of two events with the same address is valid.

A log assigns each address once. After a restore to an earlier point it assigns some of them again, to other events,
while the events published before remain on the topic. Therefore a repair begins a new epoch. Every record on the topic
carries its epoch, and an epoch says up to which positions records of earlier epochs are valid.
"""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen

from ..event_log.records import FIRST_EPOCH, LogRecord, Positions
from ..operator_note import OperatorNote

MAX_EPOCH = 999_999
"""The last epoch that can be begun. An operator begins each, so a later one on the topic is not of this service."""


@frozen(kw_only=True)
class Epoch:
    """An epoch that was begun. In each bucket of ``kept``, records of earlier epochs are valid up to that position."""

    epoch: int
    note: OperatorNote
    kept: Positions


@frozen
class Epochs:
    """The epochs that were begun, the oldest first. The first epoch of a log is not among them."""

    begun: tuple[Epoch, ...] = ()
    _kept: dict[tuple[int, int], int | None] = field(factory=dict, init=False, eq=False, repr=False)

    @property
    def now(self) -> int:
        return self.begun[-1].epoch if self.begun else FIRST_EPOCH

    def kept(self, bucket: int, epoch: int) -> int | None:
        """Return the last valid position of ``bucket`` in that epoch; None if no later epoch ends it."""
        if (bucket, epoch) not in self._kept:
            ends = [later.kept[bucket] for later in self.begun if later.epoch > epoch and bucket in later.kept]
            self._kept[bucket, epoch] = min(ends, default=None)
        return self._kept[bucket, epoch]

    def superseded(self, record: LogRecord) -> bool:
        """Return True if a later epoch reuses the address of ``record``."""
        if record.epoch >= self.now:
            return False
        kept = self.kept(record.bucket, record.epoch)
        return kept is not None and record.position > kept

    def effective(self, positions: Mapping[int, int], epoch: int) -> dict[int, int]:
        """Return the valid part of the positions that a reader had reached in that epoch."""
        ends = {bucket: self.kept(bucket, epoch) for bucket in positions}
        return {b: at if (end := ends[b]) is None else min(at, end) for b, at in positions.items()}


BEGINNING = Epochs()
"""The epochs of a log that was never repaired."""


class LogEpochs(Protocol):
    """The storage of the epochs, next to the log. All methods raise StorageUnavailable."""

    async def all(self) -> Epochs: ...

    async def begin(self, epoch: Epoch) -> bool:
        """Begin that epoch, set the relay's cursors back to ``kept`` and record its note, in one transaction.

        Returns False if the epoch is not newer than the current one.
        """
        ...
