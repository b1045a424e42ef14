"""The relay's cursors as they ride in the metadata of a committed offset."""

from collections.abc import Mapping
from typing import Self

from attrs import frozen

_VERSION = "1"
_SEALED, _PUBLISHED = "s", "p"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@frozen
class Note:
    """What the committed offset of one partition says.

    ``partitions`` is the number by which its relay shares out the buckets; it only ever grows.
    ``published``: by then all partitions agreed on that number, so that this note alone tells where its buckets are.
    ``positions`` never forget a bucket: when the topic has grown, the bucket's new relay finds it here.
    """

    partitions: int
    published: bool
    positions: Mapping[int, int]

    def text(self, buckets: int) -> str:
        """``1;3;p;2s,,9``: version, partitions, state, and for each of the buckets its position in base 36 or nothing.

        At most 3,600 characters for 256 buckets, whatever the positions; brokers take 4,096 by default.
        """
        state = _PUBLISHED if self.published else _SEALED
        positions = ",".join([_base36(self.positions[b]) if b in self.positions else "" for b in range(buckets)])
        return f"{_VERSION};{self.partitions};{state};{positions}"

    @classmethod
    def read(cls, text: str, buckets: int) -> Self:
        """The note that ``text`` is. Raises ValueError for any other text, and for another number of buckets."""
        version, _, rest = text.partition(";")
        if version != _VERSION:
            raise ValueError(f"it is of version {version[:20]!r}, which this release does not know")
        partitions, state, listed = rest.split(";")
        positions = listed.split(",")
        if len(positions) != buckets:
            raise ValueError(f"it was written for a log of {len(positions)} buckets, and this one has {buckets}")
        if state not in {_SEALED, _PUBLISHED}:
            raise ValueError(f"its state is {state[:20]!r}")
        return cls(int(partitions), state == _PUBLISHED, {b: int(at, 36) for b, at in enumerate(positions) if at})


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
