"""Who reads the log: the relay, the consumers that ship, and whoever else keeps a cursor."""

from collections.abc import Sequence

from attrs import frozen

from ...domain.errors import InvalidInput
from .ports import Cursors
from .records import RELAY


@frozen
class Readers:
    """``relayed``: a relay writes the topic, and the ``shipped`` consumers read from there; all others read the log."""

    cursors: Cursors
    shipped: tuple[str, ...]
    relayed: bool

    async def __call__(self) -> Sequence[str]:
        """The relay where there is one, the shipped consumers, then the others. Raises StorageUnavailable."""
        ours = (RELAY, *self.shipped) if self.relayed else self.shipped
        return (*ours, *(name for name in await self.cursors.readers() if name not in ours))

    async def consumers(self) -> Sequence[str]:
        """All of them but relays. Raises StorageUnavailable."""
        return [name for name in await self() if name != RELAY]

    async def named(self, consumer: str) -> str:
        """``consumer`` itself. Raises InvalidInput where there is no such consumer, StorageUnavailable."""
        known = await self.consumers()
        if consumer not in known:
            raise InvalidInput("consumer", f"{consumer!r} is none", ", ".join(known))
        return consumer

    def from_topic(self, reader: str) -> bool:
        """Whether ``reader`` gets only what the relay has brought to the topic."""
        return self.relayed and reader in self.shipped
