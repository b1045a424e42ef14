"""The rollout as rows."""

from typing import Any

from attrs import asdict, frozen
from sqlalchemy import (
    CheckConstraint,
    Column,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    delete,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ...application.operator_note import OperatorNote
from ...application.rollout.rollout import EVERYTHING, RolloutState
from .bulk import insert_into
from .database import Database
from .maintenance_log import note_of, record
from .types import Identifier, Timestamp, metadata

publishing_share = Table(
    "publishing_share",
    metadata,
    Column("id", SmallInteger, nullable=False, autoincrement=False),
    Column("percent", SmallInteger, nullable=False),
    PrimaryKeyConstraint("id"),
    CheckConstraint("id = 1", name="publishing_share_is_one"),
    CheckConstraint("percent BETWEEN 0 AND 100", name="publishing_share_is_a_percentage"),
)
"""One row, or none if everything is published."""


consumer_pauses = Table(
    "consumer_pauses",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("consumer"),
)
"""The paused consumers."""


_SHARE = select(publishing_share.c.percent)


# Each may have no row. Every process reads them twice a second, so it is one query.
_ONE_ROW = select(literal(1).label("one")).subquery()
_CURRENT = select(publishing_share.c.percent, consumer_pauses).select_from(
    _ONE_ROW.outerjoin(publishing_share, true()).outerjoin(consumer_pauses, true())
)


@frozen
class SqlRollout:
    database: Database

    async def current_rollout(self) -> RolloutState:
        rows = await self.database.rows(_CURRENT)
        percent = rows[0].percent
        paused = {row.consumer: note_of(row._mapping) for row in rows if row.consumer is not None}
        return RolloutState(EVERYTHING if percent is None else percent, paused)

    async def set_share(self, percent: int, note: OperatorNote) -> MaintenanceEntry | None:
        async with self.database.writing() as connection:
            await self._insert_new(connection, publishing_share, {"id": 1, "percent": EVERYTHING})
            # Locked until the commit, so that concurrent changes follow one another.
            before = await connection.scalar(_SHARE.with_for_update())
            if before == percent:
                return None
            await connection.execute(update(publishing_share).values(percent=percent))
            entry = MaintenanceEntry(kind=MaintenanceKind.SHARE, note=note, before=before, after=percent)
            await record(connection, entry)
        return entry

    async def pause(self, consumer: str, note: OperatorNote) -> MaintenanceEntry | None:
        row = {"consumer": consumer, **asdict(note)}
        async with self.database.writing() as connection:
            if not await self._insert_new(connection, consumer_pauses, row):
                return None
            entry = MaintenanceEntry(kind=MaintenanceKind.PAUSE, note=note, consumer=consumer)
            await record(connection, entry)
        return entry

    async def resume(self, consumer: str, note: OperatorNote) -> MaintenanceEntry | None:
        async with self.database.writing() as connection:
            gone = await connection.execute(delete(consumer_pauses).where(consumer_pauses.c.consumer == consumer))
            if not gone.rowcount:
                return None
            entry = MaintenanceEntry(kind=MaintenanceKind.RESUME, note=note, consumer=consumer)
            await record(connection, entry)
        return entry

    async def _insert_new(self, connection: AsyncConnection, table: Any, row: dict[str, Any]) -> bool:
        """Insert the row. Returns False if its key exists."""
        put = await connection.execute(insert_into(connection, table).values(row).on_conflict_do_nothing())
        return put.rowcount == 1
