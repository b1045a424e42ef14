"""Tickets of live streams, under the digests of their secrets."""

from datetime import datetime, timedelta

from attrs import evolve, frozen
from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text, delete, insert, select

from ...application.streams.ports import StreamTicket
from .database import Database
from .tokens import grant_of, row_of_grant
from .types import Identifier, Timestamp, metadata

stream_tickets = Table(
    "stream_tickets",
    metadata,
    Column("digest", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("actor_id", Identifier, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("grant_expires_at", Timestamp),
    Column("token_digest", Text),
    Column("expires_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("digest"),
)
Index(None, stream_tickets.c.expires_at)

DELETED_AT_ONCE = 100
"""Expired tickets that one new ticket deletes."""


@frozen
class SqlStreamTickets:
    database: Database

    async def add(self, digest: str, ticket: StreamTicket, *, seconds: int) -> datetime:
        here = stream_tickets.c
        now = await self.database.now()
        expires_at = now + timedelta(seconds=seconds)
        old = select(here.digest).where(here.expires_at < now).order_by(here.expires_at).limit(DELETED_AT_ONCE)
        # Those that another process is deleting are left to it.
        old = old.with_for_update(skip_locked=True)
        row = {
            "digest": digest,
            **row_of_grant(ticket.grant),
            "grant_expires_at": ticket.grant.expires_at,
            "token_digest": ticket.token or None,
            "expires_at": expires_at,
        }
        async with self.database.writing() as connection:
            await connection.execute(delete(stream_tickets).where(here.digest.in_(old)))
            await connection.execute(insert(stream_tickets), [row])
        return expires_at

    async def take(self, digest: str) -> StreamTicket | None:
        here = stream_tickets.c
        now = await self.database.now()
        taken = delete(stream_tickets).where(here.digest == digest).returning(*here)
        async with self.database.writing() as connection:
            row = (await connection.execute(taken)).first()
        if row is None or row.expires_at <= now:
            return None
        return StreamTicket(
            grant=evolve(grant_of(row), expires_at=row.grant_expires_at),
            token=row.token_digest or "",
        )
