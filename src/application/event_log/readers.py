"""The readers of the log: the relay, the built-in consumers, and all others that keep a cursor."""

from collections.abc import Sequence

from attrs import frozen

from ...domain.errors import InvalidInput
from ...domain.text import shown
from .ports import Cursors
from .records import RELAY


@frozen
class Readers:
    """Names the readers. If ``relayed``, the ``built_in`` consumers read the relay's topic; all others read the log.

    The ``shipped`` ones of these are always named, another one only once it has a cursor.
    """

    cursors: Cursors
    shipped: tuple[str, ...]
    relayed: bool
    built_in: tuple[str, ...] = ()

    async def __call__(self) -> Sequence[str]:
        """Return the relay if there is one, the shipped consumers, then the others. Raises StorageUnavailable."""
        ours = (RELAY, *self.shipped) if self.relayed else self.shipped
        return (*ours, *(name for name in await self.cursors.readers() if name not in ours))

    async def consumers(self) -> Sequence[str]:
        """Return all readers except the relay. Raises StorageUnavailable."""
        return [name for name in await self() if name != RELAY]

    async def named(self, consumer: str) -> str:
        """Return ``consumer``. Raises InvalidInput if there is no such consumer, StorageUnavailable."""
        known = await self.consumers()
        if consumer not in known:
            raise InvalidInput("consumer", f"{shown(consumer)} is none", ", ".join(known))
        return consumer

    def from_topic(self, reader: str) -> bool:
        """Return whether ``reader`` reads the topic, so it gets only what the relay has published."""
        return self.relayed and reader in (self.built_in or self.shipped)
