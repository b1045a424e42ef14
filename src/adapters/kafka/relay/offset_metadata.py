"""The relay's cursors as they ride in the metadata of a committed offset."""

from collections.abc import Mapping
from typing import Self

from attrs import field, frozen

from ....application.event_log.records import FIRST_EPOCH
from ....application.recovery.epochs import Epochs
from ....domain.errors import LogBehindTopic

_BEFORE_EPOCHS, _VERSION = "1", "2"
_SEALED, _PUBLISHED = "s", "p"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_MARK_DIGITS = 3
_UNMARKED = "~"


@frozen
class OffsetMetadata:
    """What the committed offset of one partition says.

    ``partitions`` is the number by which its relay shares out the buckets; it only ever grows.
    ``published``: by then all partitions agreed on that number, so that this note alone tells where its buckets are.
    ``positions`` never forget a bucket: when the topic has grown, the bucket's new relay finds it here. They are of
    ``epoch``; ``marks`` tell their events from those of another log with these addresses, where that is known.
    """

    partitions: int
    published: bool
    positions: Mapping[int, int]
    epoch: int = FIRST_EPOCH
    marks: Mapping[int, int] = field(factory=dict)

    def standing(self, epochs: Epochs) -> Self:
        """What counts of it in the epoch that is now. Raises LogBehindTopic for a note of a later one."""
        if self.epoch > epochs.now:
            bucket, at = next(iter(self.positions.items()), (0, 0))
            told = f"the topic is in epoch {self.epoch}, the log only in {epochs.now}"
            raise LogBehindTopic(bucket, at, at, told)
        positions = epochs.standing(self.positions, self.epoch)
        marks = {bucket: mark for bucket, mark in self.marks.items() if positions[bucket] == self.positions[bucket]}
        return type(self)(self.partitions, self.published, positions, epochs.now, marks)

    def text(self, buckets: int) -> str:
        """``2;3;p;1;0sA1A,,~9``: version, partitions, state, epoch, and for each bucket its mark and position.

        A mark has three digits of base 64, or is ``~`` where it is not known; a position has as many as it takes.
        At most 3,900 characters for 256 buckets, whatever the positions; brokers take 4,096 by default.
        """
        state = _PUBLISHED if self.published else _SEALED
        listed = ",".join([self._entry(bucket) for bucket in range(buckets)])
        return f"{_VERSION};{self.partitions};{state};{self.epoch};{listed}"

    def _entry(self, bucket: int) -> str:
        if (position := self.positions.get(bucket)) is None:
            return ""
        mark = self.marks.get(bucket)
        return (_UNMARKED if mark is None else _digits(mark).rjust(_MARK_DIGITS, "0")) + _digits(position)

    @classmethod
    def read(cls, text: str, buckets: int) -> Self:
        """The note that ``text`` is. Raises ValueError for any other text, and for another number of buckets."""
        version, _, rest = text.partition(";")
        if version not in (_BEFORE_EPOCHS, _VERSION):
            raise ValueError(f"it is of version {version[:20]!r}, which this release does not know")
        if version == _BEFORE_EPOCHS:
            (partitions, state, listed), epoch = rest.split(";"), str(FIRST_EPOCH)
        else:
            partitions, state, epoch, listed = rest.split(";")
        entries = listed.split(",")
        if len(entries) != buckets:
            raise ValueError(f"it was written for a log of {len(entries)} buckets, and this one has {buckets}")
        if state not in {_SEALED, _PUBLISHED}:
            raise ValueError(f"its state is {state[:20]!r}")
        if version == _BEFORE_EPOCHS:
            return cls(int(partitions), state == _PUBLISHED, {b: int(at, 36) for b, at in enumerate(entries) if at})
        positions, marks = {}, {}
        for bucket, entry in enumerate(entries):
            if entry.startswith(_UNMARKED):
                positions[bucket] = _number(entry[1:])
            elif entry:
                marks[bucket], positions[bucket] = _number(entry[:_MARK_DIGITS]), _number(entry[_MARK_DIGITS:])
        return cls(int(partitions), state == _PUBLISHED, positions, int(epoch), marks)


def _digits(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _number(digits: str) -> int:
    if not digits or any(digit not in _VALUES for digit in digits):
        raise ValueError(f"{digits[:20]!r} is no number of base 64")
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _VALUES[digit]
    return number
