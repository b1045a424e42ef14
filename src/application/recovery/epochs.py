"""The log's epochs: which of two events with one address counts.

A log gives each address once. One that was restored to an earlier point gives some of them again, to other events, and
those that were published before stand on the topic for ever. So whoever mends that begins a new epoch, every record
says of which epoch it is, and an epoch says from where on the records of earlier ones do not count any more.
"""

from collections.abc import Mapping
from typing import Protocol

from attrs import field, frozen

from ..event_log.records import FIRST_EPOCH, LogRecord, Positions
from ..operator_note import OperatorNote


@frozen(kw_only=True)
class Epoch:
    """An epoch that somebody began. Of each bucket in ``kept``, records of earlier epochs count up to that position."""

    epoch: int
    note: OperatorNote
    kept: Positions


@frozen
class Epochs:
    """Those that were begun, the oldest first. The first of a log was begun by nobody."""

    begun: tuple[Epoch, ...] = ()
    _kept: dict[tuple[int, int], int | None] = field(factory=dict, init=False, eq=False, repr=False)

    @property
    def now(self) -> int:
        return self.begun[-1].epoch if self.begun else FIRST_EPOCH

    def kept(self, bucket: int, epoch: int) -> int | None:
        """The last position of ``bucket`` that counts in that epoch; None where no later one ends it."""
        if (bucket, epoch) not in self._kept:
            ends = [later.kept[bucket] for later in self.begun if later.epoch > epoch and bucket in later.kept]
            self._kept[bucket, epoch] = min(ends, default=None)
        return self._kept[bucket, epoch]

    def superseded(self, record: LogRecord) -> bool:
        """Whether ``record`` does not count any more: a later epoch has given its address anew, or will."""
        if record.epoch >= self.now:
            return False
        kept = self.kept(record.bucket, record.epoch)
        return kept is not None and record.position > kept

    def standing(self, positions: Mapping[int, int], epoch: int) -> dict[int, int]:
        """How much counts still of what a reader had reached in that epoch."""
        ends = {bucket: self.kept(bucket, epoch) for bucket in positions}
        return {b: at if (end := ends[b]) is None else min(at, end) for b, at in positions.items()}


BEGINNING = Epochs()
"""A log that never was mended."""


class LogEpochs(Protocol):
    """The epochs, kept with the log. All raise StorageUnavailable."""

    async def all(self) -> Epochs: ...

    async def begin(self, begun: Epoch) -> bool:
        """Begin that epoch, and set the relay's floor back to what it keeps, together; False where it is not newer."""
        ...
