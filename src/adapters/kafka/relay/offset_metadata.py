"""The relay's cursors, encoded in the metadata of a committed offset."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Self

from attrs import field, frozen

from ....application.event_log.records import FIRST_EPOCH
from ....application.recovery.epochs import Epochs
from ....domain.errors import LogBehindTopic

_VERSION_WITHOUT_EPOCHS, _VERSION = "1", "2"
_SEALED, _PUBLISHED = "s", "p"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_CHECKSUM_DIGITS = 3
_NO_CHECKSUM = "~"


@frozen
class OffsetMetadata:
    """The metadata of the committed offset of one partition.

    ``partitions`` is the number of partitions by which its relay distributes the buckets. It never decreases.
    ``published`` means that all partitions had agreed on this number, so that this metadata alone determines the
    cursors of its buckets. ``positions`` keep every bucket: when the topic has grown, a bucket's new relay finds its
    cursor here. They belong to ``epoch``. ``checksums`` of the events at the cursors, as far as they are known,
    distinguish them from events of another log with the same addresses.
    """

    partitions: int
    published: bool
    positions: Mapping[int, int]
    epoch: int = FIRST_EPOCH
    checksums: Mapping[int, int] = field(factory=dict)

    def effective(self, epochs: Epochs) -> Self:
        """Return the part that is valid in the current epoch. Raises LogBehindTopic if this is of a later epoch."""
        if self.epoch > epochs.now:
            bucket, at = next(iter(self.positions.items()), (0, 0))
            problem = f"the topic is in epoch {self.epoch}, the log only in {epochs.now}"
            raise LogBehindTopic(bucket, at, at, problem)
        positions = epochs.effective(self.positions, self.epoch)
        checksums = {
            bucket: checksum
            for bucket, checksum in self.checksums.items()
            if positions[bucket] == self.positions[bucket]
        }
        return type(self)(self.partitions, self.published, positions, epochs.now, checksums)

    def serialize(self, buckets: int) -> str:
        """Encode as text, such as ``2;3;p;1;0sA1A,,~9``.

        The fields are version, partitions, state, epoch, and the checksum and position of each bucket. A checksum has
        three digits of base 64, or is ``~`` if it is not known. A position has as many digits as it needs. The text
        has at most 3,900 characters for 256 buckets; the default limit of brokers is 4,096.
        """
        state = _PUBLISHED if self.published else _SEALED
        position, checksum = self.positions.get, self.checksums.get
        entries = ",".join([_entry(position(bucket), checksum(bucket)) for bucket in range(buckets)])
        return f"{_VERSION};{self.partitions};{state};{self.epoch};{entries}"

    @classmethod
    def parse(cls, text: str, buckets: int) -> Self:
        """Decode ``text``. Raises ValueError if it is invalid, or has another number of buckets."""
        version, _, rest = text.partition(";")
        if version not in (_VERSION_WITHOUT_EPOCHS, _VERSION):
            raise ValueError(f"it is of version {version[:20]!r}, which this release does not support")
        if version == _VERSION_WITHOUT_EPOCHS:
            (partitions, state, values), epoch = rest.split(";"), str(FIRST_EPOCH)
        else:
            partitions, state, epoch, values = rest.split(";")
        entries = values.split(",")
        if len(entries) != buckets:
            raise ValueError(f"it was written for a log of {len(entries)} buckets, and this one has {buckets}")
        if state not in {_SEALED, _PUBLISHED}:
            raise ValueError(f"its state is {state[:20]!r}")
        if version == _VERSION_WITHOUT_EPOCHS:
            return cls(int(partitions), state == _PUBLISHED, {b: int(at, 36) for b, at in enumerate(entries) if at})
        positions, checksums = {}, {}
        for bucket, entry in enumerate(entries):
            if entry.startswith(_NO_CHECKSUM):
                positions[bucket] = _from_base64(entry[1:])
            elif entry:
                checksums[bucket], positions[bucket] = (
                    _from_base64(entry[:_CHECKSUM_DIGITS]),
                    _from_base64(entry[_CHECKSUM_DIGITS:]),
                )
        return cls(int(partitions), state == _PUBLISHED, positions, int(epoch), checksums)


@lru_cache(4096)  # of the 256 entries, a transaction of a few events changes a few
def _entry(position: int | None, checksum: int | None) -> str:
    if position is None:
        return ""
    return (_NO_CHECKSUM if checksum is None else _to_base64(checksum).rjust(_CHECKSUM_DIGITS, "0")) + _to_base64(
        position
    )


def _to_base64(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _from_base64(digits: str) -> int:
    if not digits or any(digit not in _VALUES for digit in digits):
        raise ValueError(f"{digits[:20]!r} is not a number of base 64")
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _VALUES[digit]
    return number
