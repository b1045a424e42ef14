"""Repairs as rows."""

from collections.abc import Sequence

from attrs import frozen
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.repairs import Repair, RepairKind
from ...application.rollout import Word
from .database import Database
from .repairs_tables import repairs


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
