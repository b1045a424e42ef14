"""The bearer tokens that authenticate callers of the HTTP API."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from time import monotonic
from typing import Protocol

from attrs import define, field, frozen

from ..domain.actor import Actor, Role


class Scope(StrEnum):
    """The uses of a token: to read, to write, or to operate."""

    READ = "read"
    WRITE = "write"
    OPERATE = "operate"


EVERY_SCOPE = frozenset(Scope)
PREFIX = "of_"
"""The prefix of every secret, by which scanners for leaked credentials can recognize it."""
IDENTIFYING = 12
"""Characters of a token's digest that identify it for operators. A digest of 256 random bits gives nothing away."""
MAX_LABEL = 200


def digest_of(secret: str) -> str:
    """Return the SHA-256 of ``secret`` in hex. A secret of 256 random bits needs no salt and no slow hash."""
    return sha256(secret.encode()).hexdigest()


def token_id(named: str) -> str:
    """Return the id of a token that is named by its id or, as one that was found somewhere, by its secret."""
    return digest_of(named)[:IDENTIFYING] if named.startswith(PREFIX) else named


@frozen
class Grant:
    """An authenticated caller, with the uses and the label of its token."""

    actor: Actor
    scopes: frozenset[Scope] = EVERY_SCOPE
    label: str = ""
    expires_at: datetime | None = None
    """The end of the grant, if it is known without asking the storage again."""


class InvalidToken(Exception):
    """A token that grants nothing; the text says why."""


class IdentityTokens(Protocol):
    """Tokens that another party issues, such as an OpenID provider."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def verify(self, token: str) -> Grant:
        """Return what ``token`` grants. Raises InvalidToken; Unavailable if that cannot be known now."""
        ...


@frozen(kw_only=True)
class Token:
    """A stored token, without its secret. ``last_used_at`` is known to some minutes."""

    id: str
    actor: Actor
    label: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Tokens(Protocol):
    """Bearer tokens, of which only the hash is stored. They expire by the storage's own clock."""

    async def add(
        self,
        digest: str,
        actor: Actor,
        *,
        label: str,
        at: datetime,
        scopes: Collection[Scope] = EVERY_SCOPE,
        expires_at: datetime | None = None,
    ) -> None: ...

    async def find(self, digest: str) -> Grant | None:
        """Return what the token grants; None if there is no such token, or it has expired or was revoked."""
        ...

    async def any(self) -> bool:
        """Return whether there has ever been a token; one that was revoked counts."""
        ...

    async def any_valid(self, role: Role) -> bool:
        """Return whether this role has a token that has neither expired nor been revoked."""
        ...

    async def list(self, actor: Actor | None = None) -> Sequence[Token]:
        """Return the tokens of ``actor``, or all, the newest first."""
        ...

    async def revoke(self, id: str, *, at: datetime) -> bool:
        """Make the token invalid for good. Returns False if there is none with this id."""
        ...

    async def replace(self, id: str, digest: str, *, at: datetime, until: datetime) -> bool:
        """Add a token with the actor, label, scopes and lifetime of another, which expires at ``until`` or before.

        Its lifetime is the one that the other had before it was replaced for the first time. Both happen, or nothing.
        Returns False if there is no valid token with this id.
        """
        ...

    async def note_used(self, digests: Collection[str], *, at: datetime) -> None:
        """Store that these tokens were used at ``at``, if that is later than what is stored."""
        ...


FRESH_SECONDS = 1.0
"""The time for which a process relies on what it read, so that a change in another process takes effect within it."""
MOST_KNOWN = 10_000
"""Tokens that a process remembers. When there are more, it forgets all and reads each again when it is used."""
USE_NOTED_EVERY = timedelta(minutes=5)
"""The time for which a process stores no second use of one token."""


@define(eq=False)
class CachedTokens:
    """Tokens that are read once a second at most, however many requests bring them at once.

    A token that was not found is read again by the next request. A token that this process adds takes effect at once.
    Uses are collected in memory, and ``note_used`` stores them.
    """

    tokens: Tokens
    clock: Callable[[], float] = monotonic
    _known: dict[str, tuple[float, Grant]] = field(factory=dict, init=False)
    _running: "dict[str, asyncio.Future[Grant | None]]" = field(factory=dict, init=False)
    _used: set[str] = field(factory=set, init=False)
    _noted: dict[str, float] = field(factory=dict, init=False)

    async def add(self, digest: str, actor: Actor, *, label: str, at: datetime) -> None:
        await self.tokens.add(digest, actor, label=label, at=at)
        self._known.clear()

    async def find(self, digest: str) -> Grant | None:
        now = self.clock()
        at, grant = self._known.get(digest, (float("-inf"), None))
        if grant is not None and now - at < FRESH_SECONDS:
            return grant
        if (running := self._running.get(digest)) is None:
            running = self._running[digest] = asyncio.ensure_future(self._read(digest, now))
            running.add_done_callback(lambda _: self._running.pop(digest, None))
        return await asyncio.shield(running)

    async def _read(self, digest: str, now: float) -> Grant | None:
        grant = await self.tokens.find(digest)
        self._known.pop(digest, None)
        if grant is not None:
            for remembered in (self._known, self._used, self._noted):
                if len(remembered) >= MOST_KNOWN:
                    remembered.clear()
            self._known[digest] = (now, grant)
            if now - self._noted.get(digest, float("-inf")) >= USE_NOTED_EVERY.total_seconds():
                self._used.add(digest)
        return grant

    async def note_used(self, at: datetime) -> None:
        """Store the uses since the last call, of each token once in USE_NOTED_EVERY. Raises StorageUnavailable."""
        if used := set(self._used):
            await self.tokens.note_used(used, at=at)
            self._used -= used
            self._noted.update(dict.fromkeys(used, self.clock()))
