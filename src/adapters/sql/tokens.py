"""Bearer tokens, stored as hashes."""

from datetime import datetime

from attrs import frozen
from sqlalchemy import (
    Column,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    select,
    text,
)

from ...domain.actor import Actor, Role
from .database import Database
from .types import Timestamp, metadata

tokens = Table(
    "tokens",
    metadata,
    Column("digest", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("digest"),
)


_ADD = text(
    "INSERT INTO tokens (digest, role, actor_id, label, created_at) "
    "VALUES (:digest, :role, :actor_id, :label, :created_at) "
    "ON CONFLICT (digest) DO UPDATE SET role = excluded.role, actor_id = excluded.actor_id, label = excluded.label"
).bindparams(bindparam("created_at", type_=tokens.c.created_at.type))


_FIND = select(tokens.c.role, tokens.c.actor_id).where(tokens.c.digest == bindparam("digest"))


@frozen
class SqlTokens:
    database: Database

    async def add(self, digest: str, actor: Actor, *, label: str, at: datetime) -> None:
        row = {"digest": digest, "role": actor.role.value, "actor_id": actor.id, "label": label, "created_at": at}
        async with self.database.writing() as connection:
            await connection.execute(_ADD, row)

    async def find(self, digest: str) -> Actor | None:
        found = await self.database.rows(_FIND, {"digest": digest})
        return next((Actor(Role(row.role), row.actor_id) for row in found), None)

    async def any(self) -> bool:
        return bool(await self.database.rows(select(tokens.c.digest).limit(1)))
