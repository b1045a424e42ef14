"""The maintenance log as rows."""

from collections.abc import Collection, Sequence

from attrs import asdict, frozen
from sqlalchemy import Column, Identity, Integer, PrimaryKeyConstraint, Table, Text, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ...application.operator_note import OperatorNote
from .bulk import Row
from .database import Database
from .types import Counter, Identifier, Timestamp, metadata

maintenance_log = Table(
    "maintenance_log",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("consumer", Identifier),
    Column("before", Integer),
    Column("after", Integer),
    Column("detail", Text, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""All manual changes. Rows are never updated or deleted."""
_CHANGE = ("consumer", "before", "after", "detail")


@frozen
class SqlMaintenanceLog:
    database: Database

    async def record(self, entry: MaintenanceEntry) -> None:
        async with self.database.writing() as connection:
            await record(connection, entry)

    async def history(self, *, limit: int, kinds: Collection[MaintenanceKind] = ()) -> Sequence[MaintenanceEntry]:
        query = select(maintenance_log).order_by(maintenance_log.c.entry.desc()).limit(limit)
        if kinds:
            query = query.where(maintenance_log.c.kind.in_([kind.value for kind in kinds]))
        return [_entry_of(row._mapping) for row in await self.database.rows(query)]


async def record(connection: AsyncConnection, entry: MaintenanceEntry) -> int:
    """Insert ``entry`` in the transaction of ``connection``, and return its number."""
    row = {**asdict(entry.note), **{name: getattr(entry, name) for name in _CHANGE}, "kind": entry.kind.value}
    number = await connection.scalar(insert(maintenance_log).values(row).returning(maintenance_log.c.entry))
    return int(number or 0)


def note_of(row: Row) -> OperatorNote:
    return OperatorNote(by=row["by"], reason=row["reason"], at=row["at"])


def _entry_of(row: Row) -> MaintenanceEntry:
    change = {name: row[name] for name in _CHANGE}
    return MaintenanceEntry(kind=MaintenanceKind(row["kind"]), note=note_of(row), **change)
