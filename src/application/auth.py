"""TODO."""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ..domain.actor import Actor

if TYPE_CHECKING:
    pass


class Tokens(Protocol):
    """Bearer tokens, known by their hash alone."""

    async def add(self, digest: str, actor: Actor, *, label: str, at: datetime) -> None: ...

    async def find(self, digest: str) -> Actor | None: ...

    async def any(self) -> bool: ...
