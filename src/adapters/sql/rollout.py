"""The rollout: what is in force, and every change of it."""

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import (
    CheckConstraint,
    Column,
    Identity,
    PrimaryKeyConstraint,
    Row,
    SmallInteger,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.operator_note import OperatorNote
from ...application.rollout.rollout import EVERYTHING, ChangeKind, RolloutChange, RolloutState
from .database import POSTGRESQL, Database
from .types import Counter, Identifier, Timestamp, metadata

publishing_share = Table(
    "publishing_share",
    metadata,
    Column("id", SmallInteger, nullable=False, autoincrement=False),
    Column("percent", SmallInteger, nullable=False),
    PrimaryKeyConstraint("id"),
    CheckConstraint("id = 1", name="publishing_share_is_one"),
    CheckConstraint("percent BETWEEN 0 AND 100", name="publishing_share_is_a_percentage"),
)
"""One row, or none: then all is published."""


consumer_pauses = Table(
    "consumer_pauses",
    metadata,
    Column("consumer", Identifier, nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("consumer"),
)
"""A row for each consumer that is paused."""


rollout_changes = Table(
    "rollout_changes",
    metadata,
    Column("entry", Counter, Identity(), nullable=False),
    Column("kind", Text, nullable=False),
    Column("consumer", Identifier),
    Column("before", SmallInteger),
    Column("after", SmallInteger),
    Column("at", Timestamp, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""Every change that was made, none of which is ever changed or deleted."""


_SHARE = select(publishing_share.c.percent)


_PAUSES = select(consumer_pauses)


@frozen
class SqlRollout:
    database: Database

    async def current_rollout(self) -> RolloutState:
        async with self.database.reading() as connection:
            percent = await connection.scalar(_SHARE)
            paused = {row.consumer: _word(row) for row in await connection.execute(_PAUSES)}
        return RolloutState(EVERYTHING if percent is None else percent, paused)

    async def set_share(self, percent: int, note: OperatorNote) -> RolloutChange | None:
        async with self.database.writing() as connection:
            await self._put_new(connection, publishing_share, {"id": 1, "percent": EVERYTHING})
            # Held until the commit, so that the next one who changes it sees what this one made of it.
            before = await connection.scalar(_SHARE.with_for_update())
            if before == percent:
                return None
            await connection.execute(update(publishing_share).values(percent=percent))
            change = RolloutChange(kind=ChangeKind.SHARE, note=note, before=before, after=percent)
            await _note(connection, change)
        return change

    async def pause(self, consumer: str, note: OperatorNote) -> RolloutChange | None:
        row = {"consumer": consumer, "at": note.at, "by": note.by, "reason": note.reason}
        async with self.database.writing() as connection:
            if not await self._put_new(connection, consumer_pauses, row):
                return None
            change = RolloutChange(kind=ChangeKind.PAUSE, note=note, consumer=consumer)
            await _note(connection, change)
        return change

    async def resume(self, consumer: str, note: OperatorNote) -> RolloutChange | None:
        async with self.database.writing() as connection:
            gone = await connection.execute(delete(consumer_pauses).where(consumer_pauses.c.consumer == consumer))
            if not gone.rowcount:
                return None
            change = RolloutChange(kind=ChangeKind.RESUME, note=note, consumer=consumer)
            await _note(connection, change)
        return change

    async def history(self, *, limit: int, kind: ChangeKind | None = None) -> Sequence[RolloutChange]:
        asked = select(rollout_changes).order_by(rollout_changes.c.entry.desc()).limit(limit)
        if kind is not None:
            asked = asked.where(rollout_changes.c.kind == kind.value)
        async with self.database.reading() as connection:
            return [_change(row) for row in await connection.execute(asked)]

    async def _put_new(self, connection: AsyncConnection, table: Any, row: dict[str, Any]) -> bool:
        """Whether there was no such row before."""
        into = insert_postgresql if self.database.backend == POSTGRESQL else insert_sqlite
        put = await connection.execute(into(table).values(row).on_conflict_do_nothing())
        return put.rowcount == 1


async def _note(connection: AsyncConnection, change: RolloutChange) -> None:
    row = {
        "kind": change.kind.value,
        "consumer": change.consumer,
        "before": change.before,
        "after": change.after,
        "at": change.note.at,
        "by": change.note.by,
        "reason": change.note.reason,
    }
    await connection.execute(insert(rollout_changes).values(row))


def _change(row: Row[Any]) -> RolloutChange:
    return RolloutChange(
        kind=ChangeKind(row.kind), note=_word(row), consumer=row.consumer, before=row.before, after=row.after
    )


def _word(row: Row[Any]) -> OperatorNote:
    return OperatorNote(by=row.by, reason=row.reason, at=row.at)
