"""Bearer tokens in memory, under their hashes."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from attrs import evolve, field, frozen

from ...application.auth import EVERY_SCOPE, IDENTIFYING, Grant, Scope, Token
from ...domain.actor import Actor, Role


@frozen
class MemoryTokens:
    """Tokens by digest; they expire by ``time``. ``_lifetimes`` are what those that were rotated had before."""

    time: Callable[[], datetime]
    tokens: dict[str, Token] = field(factory=dict, init=False)
    _lifetimes: dict[str, timedelta | None] = field(factory=dict, init=False)

    async def add(
        self,
        digest: str,
        actor: Actor,
        *,
        label: str,
        at: datetime,
        scopes: Collection[Scope] = EVERY_SCOPE,
        expires_at: datetime | None = None,
    ) -> None:
        self._lifetimes.pop(digest, None)
        self.tokens[digest] = Token(
            id=digest[:IDENTIFYING],
            actor=actor,
            label=label,
            scopes=frozenset(scopes),
            created_at=at,
            expires_at=expires_at,
            revoked_at=None,
            last_used_at=None,
        )

    async def find(self, digest: str) -> Grant | None:
        token = self.tokens.get(digest)
        return Grant(token.actor, token.scopes, token.label) if token and token.is_valid(self.time()) else None

    async def any(self) -> bool:
        return bool(self.tokens)

    async def any_valid(self, role: Role) -> bool:
        now = self.time()
        return any(token.actor.role is role and token.is_valid(now) for token in self.tokens.values())

    async def list(self, actor: Actor | None = None) -> Sequence[Token]:
        found = (token for token in self.tokens.values() if actor in (None, token.actor))
        return sorted(found, key=lambda token: token.created_at, reverse=True)

    async def revoke(self, id: str, *, at: datetime) -> bool:
        found = self._of(id)
        for digest in found:
            token = self.tokens[digest]
            self.tokens[digest] = evolve(token, revoked_at=token.revoked_at or at)
        return bool(found)

    async def replace(self, id: str, digest: str, *, at: datetime, until: datetime) -> bool:
        for old in self._of(id):
            token = self.tokens[old]
            if not token.is_valid(at):
                return False
            ends = token.expires_at
            lifetime = self._lifetimes.setdefault(old, None if ends is None else ends - token.created_at)
            self.tokens[old] = evolve(token, expires_at=until if ends is None else min(until, ends))
            self.tokens[digest] = evolve(
                token,
                id=digest[:IDENTIFYING],
                created_at=at,
                expires_at=None if lifetime is None else at + lifetime,
                last_used_at=None,
            )
            return True
        return False

    async def note_used(self, digests: Collection[str], *, at: datetime) -> None:
        for digest in digests:
            token = self.tokens.get(digest)
            if token is not None and (token.last_used_at is None or token.last_used_at < at):
                self.tokens[digest] = evolve(token, last_used_at=at)

    def _of(self, id: str) -> Sequence[str]:
        return [digest for digest in self.tokens if digest[:IDENTIFYING] == id]
