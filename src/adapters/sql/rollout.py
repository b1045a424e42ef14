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

from ...application.operator_note import Word
from ...application.rollout.rollout import EVERYTHING, ChangeKind, InForce, RolloutChange
from .database import POSTGRESQL, Database
from .types import Counter, Identifier, Moment, metadata

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
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
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
    Column("at", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("entry"),
)
"""Every change that was made, none of which is ever changed or deleted."""


_SHARE = select(publishing_share.c.percent)


_PAUSES = select(consumer_pauses)


@frozen
class SqlRollout:
    database: Database

    async def in_force(self) -> InForce:
        async with self.database.reading() as connection:
            percent = await connection.scalar(_SHARE)
            paused = {row.consumer: _word(row) for row in await connection.execute(_PAUSES)}
        return InForce(EVERYTHING if percent is None else percent, paused)

    async def set_share(self, percent: int, word: Word) -> RolloutChange | None:
        async with self.database.writing() as connection:
            await self._put_new(connection, publishing_share, {"id": 1, "percent": EVERYTHING})
            # Held until the commit, so that the next one who changes it sees what this one made of it.
            before = await connection.scalar(_SHARE.with_for_update())
            if before == percent:
                return None
            await connection.execute(update(publishing_share).values(percent=percent))
            change = RolloutChange(kind=ChangeKind.SHARE, word=word, before=before, after=percent)
            await _note(connection, change)
        return change

    async def pause(self, consumer: str, word: Word) -> RolloutChange | None:
        row = {"consumer": consumer, "at": word.at, "by": word.by, "why": word.why}
        async with self.database.writing() as connection:
            if not await self._put_new(connection, consumer_pauses, row):
                return None
            change = RolloutChange(kind=ChangeKind.PAUSE, word=word, consumer=consumer)
            await _note(connection, change)
        return change

    async def resume(self, consumer: str, word: Word) -> RolloutChange | None:
        async with self.database.writing() as connection:
            gone = await connection.execute(delete(consumer_pauses).where(consumer_pauses.c.consumer == consumer))
            if not gone.rowcount:
                return None
            change = RolloutChange(kind=ChangeKind.RESUME, word=word, consumer=consumer)
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
        "at": change.word.at,
        "by": change.word.by,
        "why": change.word.why,
    }
    await connection.execute(insert(rollout_changes).values(row))


def _change(row: Row[Any]) -> RolloutChange:
    return RolloutChange(
        kind=ChangeKind(row.kind), word=_word(row), consumer=row.consumer, before=row.before, after=row.after
    )


def _word(row: Row[Any]) -> Word:
    return Word(by=row.by, why=row.why, at=row.at)
