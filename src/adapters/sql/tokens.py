"""Bearer tokens, stored as hashes."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import (
    Column,
    ColumnElement,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from ...application.auth import EVERY_SCOPE, IDENTIFYING, Grant, Scope, Token
from ...domain.actor import Actor, Role
from .bulk import among, insert_into
from .database import Database
from .types import Counter, Timestamp, metadata

tokens = Table(
    "tokens",
    metadata,
    Column("digest", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("scopes", Text, nullable=False, server_default=text("'operate read write'")),
    Column("expires_at", Timestamp),
    Column("revoked_at", Timestamp),
    Column("last_used_at", Timestamp),
    Column("lifetime_us", Counter),
    PrimaryKeyConstraint("digest"),
)
"""``lifetime_us`` is what a token that was rotated had before, in microseconds; 0 if it did not expire."""


def _valid(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    return and_(tokens.c.revoked_at.is_(None), or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now))


def row_of_grant(grant: Grant) -> dict[str, Any]:
    """Return the columns that tokens, sessions and tickets have in common."""
    return {
        "role": grant.actor.role.value,
        "actor_id": grant.actor.id,
        "label": grant.label,
        "scopes": " ".join(sorted(grant.scopes)),
    }


def grant_of(row: Row[Any]) -> Grant:
    return Grant(Actor(Role(row.role), row.actor_id), _scopes(row.scopes), row.label)


@frozen
class SqlTokens:
    database: Database

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
        changing = {
            **row_of_grant(Grant(actor, frozenset(scopes), label)),
            "expires_at": expires_at,
            "lifetime_us": None,
        }
        async with self.database.writing() as connection:
            into = insert_into(connection, tokens).values(digest=digest, created_at=at, **changing)
            await connection.execute(into.on_conflict_do_update(index_elements=["digest"], set_=changing))

    async def find(self, digest: str) -> Grant | None:
        its = tokens.c
        valid = select(its.role, its.actor_id, its.scopes, its.label).where(
            its.digest == digest, _valid(self.database.clock())
        )
        return next(map(grant_of, await self.database.rows(valid)), None)

    async def any(self) -> bool:
        return bool(await self.database.rows(select(tokens.c.digest).limit(1)))

    async def any_valid(self, role: Role) -> bool:
        valid = select(tokens.c.digest).where(tokens.c.role == role.value, _valid(self.database.clock()))
        return bool(await self.database.rows(valid.limit(1)))

    async def list(self, actor: Actor | None = None) -> Sequence[Token]:
        newest_first = select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.digest)
        if actor is not None:
            newest_first = newest_first.where(tokens.c.role == actor.role.value, tokens.c.actor_id == actor.id)
        return [
            Token(
                id=row.digest[:IDENTIFYING],
                actor=Actor(Role(row.role), row.actor_id),
                label=row.label,
                scopes=_scopes(row.scopes),
                created_at=row.created_at,
                expires_at=row.expires_at,
                revoked_at=row.revoked_at,
                last_used_at=row.last_used_at,
            )
            for row in await self.database.rows(newest_first)
        ]

    async def revoke(self, id: str, *, at: datetime) -> bool:
        revoked = func.coalesce(tokens.c.revoked_at, bindparam("at", at, tokens.c.revoked_at.type))
        async with self.database.writing() as connection:
            return (await connection.execute(update(tokens).where(_has(id)).values(revoked_at=revoked))).rowcount > 0

    async def replace(self, id: str, digest: str, *, at: datetime, until: datetime) -> bool:
        async with self.database.writing() as connection:
            valid = select(tokens).where(_has(id), _valid(literal(at, Timestamp())))
            if (old := (await connection.execute(valid.with_for_update())).one_or_none()) is None:
                return False
            row = {name: getattr(old, name) for name in ("role", "actor_id", "label", "scopes")}
            lifetime = _lifetime(old)
            expires_at = None if lifetime is None else at + lifetime
            await connection.execute(insert(tokens).values(digest=digest, created_at=at, expires_at=expires_at, **row))
            end = until if old.expires_at is None else min(until, old.expires_at)
            had = 0 if lifetime is None else lifetime // timedelta(microseconds=1)
            await connection.execute(update(tokens).where(_has(id)).values(expires_at=end, lifetime_us=had))
            return True

    async def note_used(self, digests: Collection[str], *, at: datetime) -> None:
        later = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < bindparam("at", at, Timestamp()))
        async with self.database.writing() as connection:
            used = among(connection, tokens.c.digest, digests)
            await connection.execute(update(tokens).where(used, later).values(last_used_at=at))


def _has(id: str) -> ColumnElement[bool]:
    return func.substr(tokens.c.digest, 1, IDENTIFYING) == id


def _lifetime(token: Row[Any]) -> timedelta | None:
    """Return for how long what replaces ``token`` is valid; None if it does not expire."""
    if token.lifetime_us is not None:
        return timedelta(microseconds=token.lifetime_us) if token.lifetime_us else None
    return None if token.expires_at is None else token.expires_at - token.created_at


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(map(Scope, text.split()))
