"""Reading the ordered log."""

import json
from collections.abc import Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import Row, bindparam, select, text

from ...application.log import LogRecord, Positions
from .database import POSTGRESQL, Database
from .tables import log_heads, order_events

_NAMES = tuple(column.name for column in order_events.columns)
_COLUMNS = ", ".join(f"e.{column.name}" for column in order_events.columns)
# LATERAL with LIMIT keeps PostgreSQL on the primary key whatever it guesses about the size of the log;
# CROSS JOIN does the same for SQLite, which never reorders around it.
_READ_POSTGRESQL = text(
    f"SELECT {_COLUMNS} FROM unnest(CAST(:buckets AS int[]), CAST(:after AS bigint[]), CAST(:shares AS int[])) "
    "AS wanted(bucket, after, share) CROSS JOIN LATERAL ("
    "SELECT * FROM order_events WHERE bucket = wanted.bucket AND position > wanted.after "
    "AND position <= wanted.after + wanted.share ORDER BY position LIMIT wanted.share) AS e "
    "ORDER BY e.bucket, e.position"
).columns(*order_events.columns)
_READ_SQLITE = text(
    f"SELECT {_COLUMNS} FROM json_each(:wanted) AS wanted CROSS JOIN order_events AS e "
    "WHERE e.bucket = json_extract(wanted.value, '$[0]') AND e.position > json_extract(wanted.value, '$[1]') "
    "AND e.position <= json_extract(wanted.value, '$[1]') + json_extract(wanted.value, '$[2]') "
    "ORDER BY e.bucket, e.position"
).columns(*order_events.columns)
_HEADS = select(log_heads.c.bucket, log_heads.c.position).where(log_heads.c.position > 0)
_HISTORY = (
    select(order_events).where(order_events.c.order_id == bindparam("order_id")).order_by(order_events.c.sequence)
)


@frozen
class SqlEventLog:
    database: Database

    async def heads(self) -> Positions:
        async with self.database.reading() as connection:
            return {row.bucket: row.position for row in await connection.execute(_HEADS)}

    async def read(self, after: Positions, *, limit: int) -> Sequence[LogRecord]:
        """Positions are dense and a head is committed with its events, so what a share covers is there, gapless."""
        wanted = shares(after, await self.heads(), limit)
        if not wanted:
            return ()
        async with self.database.reading() as connection:
            if self.database.backend == POSTGRESQL:
                buckets, at, many = zip(*wanted, strict=True)
                names = {"buckets": list(buckets), "after": list(at), "shares": list(many)}
                result = await connection.execute(_READ_POSTGRESQL, names)
            else:
                result = await connection.execute(_READ_SQLITE, {"wanted": json.dumps(wanted)})
            return [_record(row) for row in result]

    async def history(self, order_id: str) -> Sequence[LogRecord]:
        if "\0" in order_id:  # which no order id has, and PostgreSQL cannot be asked for
            return ()
        async with self.database.reading() as connection:
            return [_record(row) for row in await connection.execute(_HISTORY, {"order_id": order_id})]


def shares(after: Positions, heads: Positions, limit: int) -> list[tuple[int, int, int]]:
    """(bucket, position to read after, how many) for at most ``limit`` records in all.

    Every bucket with news gets an equal share and what others leave of theirs; where there are more such buckets
    than ``limit``, those farthest behind come first, so that one that waits is served in the end.
    """
    behind = {bucket: heads.get(bucket, 0) - at for bucket, at in after.items() if heads.get(bucket, 0) > at}
    served = sorted(behind, key=lambda bucket: (-behind[bucket], bucket))[:limit]
    found = []
    left = limit
    for waiting, bucket in zip(range(len(served), 0, -1), reversed(served), strict=True):
        share = min(behind[bucket], left // waiting)
        left -= share
        found.append((bucket, after[bucket], share))
    return found


def _record(row: Row[Any]) -> LogRecord:
    return LogRecord(**dict(zip(_NAMES, row, strict=True)))
