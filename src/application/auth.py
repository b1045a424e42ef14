"""The bearer tokens that authenticate callers of the HTTP API."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Protocol

from attrs import define, field

from ..domain.actor import Actor


class Tokens(Protocol):
    """Bearer tokens, of which only the hash is stored."""

    async def add(self, digest: str, actor: Actor, *, label: str, at: datetime) -> None: ...

    async def find(self, digest: str) -> Actor | None: ...

    async def any(self) -> bool: ...


FRESH_SECONDS = 1.0
"""The time for which a process relies on what it read, so that a change in another process takes effect within it."""
MOST_KNOWN = 10_000
"""Tokens that a process remembers. When there are more, it forgets all and reads each again when it is used."""


@define(eq=False)
class CachedTokens:
    """Tokens that are read once a second at most, however many requests bring them at once.

    A token that was not found is read again by the next request. A token that this process adds takes effect at once.
    """

    tokens: Tokens
    clock: Callable[[], float] = monotonic
    _known: dict[str, tuple[float, Actor]] = field(factory=dict, init=False)
    _running: "dict[str, asyncio.Future[Actor | None]]" = field(factory=dict, init=False)
    _any: tuple[float, bool] = field(default=(float("-inf"), False), init=False)

    async def add(self, digest: str, actor: Actor, *, label: str, at: datetime) -> None:
        await self.tokens.add(digest, actor, label=label, at=at)
        self._known.clear()
        self._any = (float("-inf"), False)

    async def find(self, digest: str) -> Actor | None:
        now = self.clock()
        at, actor = self._known.get(digest, (float("-inf"), None))
        if actor is not None and now - at < FRESH_SECONDS:
            return actor
        if (running := self._running.get(digest)) is None:
            running = self._running[digest] = asyncio.ensure_future(self._read(digest, now))
            running.add_done_callback(lambda _: self._running.pop(digest, None))
        return await asyncio.shield(running)

    async def _read(self, digest: str, now: float) -> Actor | None:
        actor = await self.tokens.find(digest)
        self._known.pop(digest, None)
        if actor is not None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[digest] = (now, actor)
        return actor

    async def any(self) -> bool:
        now = self.clock()
        if now - self._any[0] >= FRESH_SECONDS:
            self._any = (now, await self.tokens.any())
        return self._any[1]
