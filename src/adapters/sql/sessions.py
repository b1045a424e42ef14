"""Sessions of the board, stored under the hashes of their secrets."""

from datetime import UTC, datetime

from attrs import frozen
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
)

from ...application.auth import Grant, Scope
from ...application.sessions import Session
from ...domain.actor import Actor, Role
from .database import POSTGRESQL, Database
from .types import Timestamp, metadata

sessions = Table(
    "board_sessions",
    metadata,
    Column("digest", Text, nullable=False),
    Column("token_digest", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("development", Boolean, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("expires_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("digest"),
    Index(None, "expires_at"),
)


@frozen
class SqlSessions:
    database: Database

    async def add(self, digest: str, session: Session) -> None:
        grant = session.grant
        row = {
            "digest": digest,
            "token_digest": session.token,
            "role": grant.actor.role.value,
            "actor_id": grant.actor.id,
            "label": grant.label,
            "scopes": " ".join(sorted(grant.scopes)),
            "development": session.development,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
        }
        async with self.database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= self._now()))
            await connection.execute(insert(sessions).values(**row))

    async def find(self, digest: str) -> Session | None:
        query = select(sessions, self._now().label("now")).where(sessions.c.digest == digest)
        for row in await self.database.rows(query):
            session = Session(
                grant=Grant(Actor(Role(row.role), row.actor_id), frozenset(map(Scope, row.scopes.split())), row.label),
                created_at=row.created_at,
                expires_at=row.expires_at,
                token=row.token_digest,
                development=row.development,
            )
            return session if session.is_valid(row.now) else None
        return None

    async def end(self, digest: str) -> None:
        async with self.database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.digest == digest))

    def _now(self) -> ColumnElement[datetime]:
        if self.database.backend == POSTGRESQL:
            return func.clock_timestamp(type_=Timestamp())
        return bindparam("now", datetime.now(UTC), sessions.c.expires_at.type)
