"""The bearer tokens that authenticate callers of the HTTP API."""

from datetime import datetime
from typing import Protocol

from ..domain.actor import Actor


class Tokens(Protocol):
    """Bearer tokens, of which only the hash is stored."""

    async def add(self, digest: str, actor: Actor, *, label: str, at: datetime) -> None: ...

    async def find(self, digest: str) -> Actor | None: ...

    async def any(self) -> bool: ...
