"""The records of the topic that operators skip."""

from attrs import frozen
from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, insert, select

from ...application.event_log.records import Origin
from ...application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ...application.operator_note import OperatorNote
from ...application.recovery.skip_record import Places
from .database import Database
from .maintenance_log import record as record_entry
from .types import Counter, Identifier, metadata

skipped_records = Table(
    "skipped_records",
    metadata,
    Column("topic", Identifier, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("entry", Counter, nullable=False),
    PrimaryKeyConstraint("topic", "partition", "offset"),
)
"""The skipped records, and their entries in the maintenance log. Rows are never updated or deleted."""


@frozen
class SqlSkippedRecords:
    database: Database

    async def places(self, topic: str) -> Places:
        it = skipped_records.c
        rows = await self.database.rows(select(it.partition, it.offset).where(it.topic == topic))
        return frozenset((row.partition, row.offset) for row in rows)

    async def skip(self, record: Origin, note: OperatorNote) -> bool:
        it = skipped_records.c
        here = it.topic == record.topic, it.partition == record.partition, it.offset == record.offset
        async with self.database.writing() as connection:
            if await connection.scalar(select(it.entry).where(*here)) is not None:
                return False
            entry = MaintenanceEntry(kind=MaintenanceKind.SKIP, note=note, detail=str(record))
            number = await record_entry(connection, entry)
            row = {"topic": record.topic, "partition": record.partition, "offset": record.offset, "entry": number}
            await connection.execute(insert(skipped_records).values(row))
        return True
