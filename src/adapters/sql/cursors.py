"""Cursors of the log's readers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import starmap

from attrs import frozen
from sqlalchemy import (
    BigInteger,
    Column,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    TextClause,
    bindparam,
    select,
    text,
)

from ...application.event_log.records import CursorAt, Positions
from .database import Database
from .types import Timestamp, metadata

cursors = Table(
    "cursors",
    metadata,
    Column("reader", Text, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("reader", "bucket"),
)


_POSITIONS = select(cursors.c.bucket, cursors.c.position).where(cursors.c.reader == bindparam("reader"))


_AT = (
    select(cursors.c.reader, cursors.c.position, cursors.c.updated_at)
    .where(cursors.c.bucket == bindparam("bucket"))
    .order_by(cursors.c.reader)
)


_INSERT = (
    "INSERT INTO cursors (reader, bucket, position, updated_at) VALUES (:reader, :bucket, :position, :updated_at) "
    "ON CONFLICT (reader, bucket)"
)
_UPDATED_AT = bindparam("updated_at", type_=cursors.c.updated_at.type)
_PUT = text(
    f"{_INSERT} DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at "
    "WHERE cursors.position < excluded.position"
).bindparams(_UPDATED_AT)
_BEGIN = text(f"{_INSERT} DO NOTHING").bindparams(_UPDATED_AT)


@frozen
class SqlCursors:
    database: Database

    async def positions(self, reader: str) -> Positions:
        return {row.bucket: row.position for row in await self.database.rows(_POSITIONS, {"reader": reader})}

    async def put(self, reader: str, positions: Positions) -> None:
        await self._store(_PUT, reader, positions)

    async def begin(self, reader: str, positions: Positions) -> None:
        await self._store(_BEGIN, reader, positions)

    async def _store(self, statement: TextClause, reader: str, positions: Positions) -> None:
        if not positions:
            return
        now = datetime.now(UTC)
        # In ascending order, which prevents deadlocks.
        rows = [
            {"reader": reader, "bucket": bucket, "position": position, "updated_at": now}
            for bucket, position in sorted(positions.items())
        ]
        async with self.database.writing() as connection:
            await connection.execute(statement, rows)

    async def readers(self) -> Sequence[str]:
        async with self.database.reading() as connection:
            return list(await connection.scalars(select(cursors.c.reader).distinct().order_by(cursors.c.reader)))

    async def at(self, bucket: int) -> Sequence[CursorAt]:
        return [*starmap(CursorAt, await self.database.rows(_AT, {"bucket": bucket}))]
