"""Places in the log as opaque texts, at which a stream stands."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from attrs import frozen

from ...domain.errors import InvalidInput

MAX_PLACE = 4_000
"""Characters of a place as text."""
_VERSION = 1


@frozen
class Place:
    """A position in each bucket of the log, in an ``epoch`` of it: everything up to there was seen."""

    epoch: int
    positions: tuple[int, ...]

    def __str__(self) -> str:
        """Return it as text: what each position exceeds the lowest by, in as many bits as the largest needs.

        At a billion events these are 600 characters, and 2,700 at most.
        """
        lowest = min(self.positions, default=0)
        bits = (max(self.positions, default=0) - lowest).bit_length()
        packed = 0
        for position in reversed(self.positions):
            packed = packed << bits | position - lowest
        size = (bits * len(self.positions) + 7) // 8
        head = ((_VERSION, 1), (self.epoch, 3), (len(self.positions), 2), (bits, 1), (lowest, 8))
        fixed = b"".join(value.to_bytes(length, "big") for value, length in head)
        content = fixed + packed.to_bytes(size, "little")
        return urlsafe_b64encode(content).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str, *, field: str) -> "Place":
        """Return the place that ``str`` made ``text`` of. Raises InvalidInput."""
        try:
            if len(text) > MAX_PLACE:
                raise ValueError("it is too long")
            content = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            epoch, buckets, bits = (int.from_bytes(part, "big") for part in (content[1:4], content[4:6], content[6:7]))
            lowest, packed = int.from_bytes(content[7:15], "big"), int.from_bytes(content[15:], "little")
            if bits > 63 or buckets * bits > len(content) * 8:
                raise ValueError("it is too short")
            mask = (1 << bits) - 1
            place = cls(epoch, tuple(lowest + (packed >> bits * bucket & mask) for bucket in range(buckets)))
            if content[:1] != bytes([_VERSION]) or max(place.positions, default=0) >> 63 or str(place) != text:
                raise ValueError("it is another one")
        except (Error, ValueError, OverflowError):
            raise InvalidInput(field, "it is no id of this stream", "the id of the last message, or none") from None
        return place
