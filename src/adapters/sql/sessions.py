"""Sessions of the board, stored under the hashes of their secrets."""

from attrs import frozen
from sqlalchemy import (
    Boolean,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    delete,
    insert,
    select,
)

from ...application.sessions import Session
from .database import Database
from .tokens import grant_of, row_of_grant
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
        row = {
            "digest": digest,
            "token_digest": session.token,
            **row_of_grant(session.grant),
            "development": session.development,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
        }
        async with self.database.writing() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= self.database.clock()))
            await connection.execute(insert(sessions).values(**row))

    async def find(self, digest: str) -> Session | None:
        query = select(sessions, self.database.clock().label("now")).where(sessions.c.digest == digest)
        for row in await self.database.rows(query):
            session = Session(
                grant=grant_of(row),
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
