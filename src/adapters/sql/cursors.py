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
    bindparam,
    select,
)

from ...application.event_log.records import CursorAt, Positions
from .bulk import insert_into, put
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


@frozen
class SqlCursors:
    database: Database

    async def positions(self, reader: str) -> Positions:
        return {row.bucket: row.position for row in await self.database.rows(_POSITIONS, {"reader": reader})}

    async def put(self, reader: str, positions: Positions) -> None:
        if rows := _rows(reader, positions):
            async with self.database.writing() as connection:
                into = insert_into(connection, cursors)
                new = {name: into.excluded[name] for name in ("position", "updated_at")}
                ahead = cursors.c.position < into.excluded.position
                move = into.on_conflict_do_update(index_elements=["reader", "bucket"], set_=new, where=ahead)
                await connection.execute(move, rows)

    async def begin(self, reader: str, positions: Positions) -> None:
        if rows := _rows(reader, positions):
            async with self.database.writing() as connection:
                await put(connection, cursors, rows, replace=False)

    async def readers(self) -> Sequence[str]:
        async with self.database.reading() as connection:
            return list(await connection.scalars(select(cursors.c.reader).distinct().order_by(cursors.c.reader)))

    async def at(self, bucket: int) -> Sequence[CursorAt]:
        return [*starmap(CursorAt, await self.database.rows(_AT, {"bucket": bucket}))]


def _rows(reader: str, positions: Positions) -> list[dict[str, object]]:
    """Return rows in ascending order, which prevents deadlocks."""
    now = datetime.now(UTC)
    return [
        {"reader": reader, "bucket": bucket, "position": position, "updated_at": now}
        for bucket, position in sorted(positions.items())
    ]
