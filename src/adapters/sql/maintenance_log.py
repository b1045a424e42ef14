"""Repairs as rows."""

from collections.abc import Sequence

from attrs import frozen
from sqlalchemy import Column, Identity, PrimaryKeyConstraint, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.operator_note import Word
from ...application.replay.maintenance_log import Repair, RepairKind
from .database import Database
from .types import Counter, Identifier, Moment, metadata

repairs = Table(
    "repairs",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("kind", Text, nullable=False),
    Column("consumer", Identifier, nullable=False),
    Column("what", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""Every repair that was begun, none of which is ever changed or deleted."""


@frozen
class SqlRepairs:
    database: Database

    async def note(self, repair: Repair) -> None:
        async with self.database.writing() as connection:
            await note(connection, repair)

    async def history(self, *, limit: int) -> Sequence[Repair]:
        async with self.database.reading() as connection:
            found = await connection.execute(select(repairs).order_by(repairs.c.entry.desc()).limit(limit))
            return [
                Repair(
                    kind=RepairKind(row.kind),
                    consumer=row.consumer,
                    what=row.what,
                    word=Word(by=row.by, why=row.why, at=row.at),
                )
                for row in found
            ]


async def note(connection: AsyncConnection, repair: Repair) -> None:
    """Within the transaction of ``connection``."""
    row = {"kind": repair.kind.value, "consumer": repair.consumer, "what": repair.what}
    await connection.execute(insert(repairs).values(**row, at=repair.word.at, by=repair.word.by, why=repair.word.why))
