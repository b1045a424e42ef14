"""Repairs as rows."""

from collections.abc import Sequence

from attrs import frozen
from sqlalchemy import Column, Identity, PrimaryKeyConstraint, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.operator_note import OperatorNote
from ...application.replay.maintenance_log import MaintenanceEntry, MaintenanceKind
from .database import Database
from .types import Counter, Identifier, Timestamp, metadata

maintenance_log = Table(
    "maintenance_log",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("kind", Text, nullable=False),
    Column("consumer", Identifier, nullable=False),
    Column("detail", Text, nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""Every repair that was begun, none of which is ever changed or deleted."""


@frozen
class SqlMaintenanceLog:
    database: Database

    async def note(self, repair: MaintenanceEntry) -> None:
        async with self.database.writing() as connection:
            await note(connection, repair)

    async def history(self, *, limit: int) -> Sequence[MaintenanceEntry]:
        async with self.database.reading() as connection:
            found = await connection.execute(
                select(maintenance_log).order_by(maintenance_log.c.entry.desc()).limit(limit)
            )
            return [
                MaintenanceEntry(
                    kind=MaintenanceKind(row.kind),
                    consumer=row.consumer,
                    what=row.detail,
                    note=OperatorNote(by=row.by, reason=row.reason, at=row.at),
                )
                for row in found
            ]


async def note(connection: AsyncConnection, repair: MaintenanceEntry) -> None:
    """Within the transaction of ``connection``."""
    row = {"kind": repair.kind.value, "consumer": repair.consumer, "detail": repair.what}
    await connection.execute(
        insert(maintenance_log).values(**row, at=repair.note.at, by=repair.note.by, reason=repair.note.reason)
    )
