"""The event log: tables and queries."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import starmap
from typing import Any

from attrs import frozen
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    select,
    text,
)

from ...application.event_log.records import UNBOUNDED, Address, EventTimes, LogRecord, Positions, shares
from .database import POSTGRESQL, Database
from .types import Identifier, Timestamp, metadata

order_events = Table(
    "order_events",
    metadata,
    Column("bucket", SmallInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("occurred_at", Timestamp, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("traceparent", Text, nullable=False),
    # Not part of the record: when the request came, and when the event was appended, just before the commit.
    Column("requested_at", Timestamp),
    Column("committed_at", Timestamp),
    PrimaryKeyConstraint("bucket", "position"),
    UniqueConstraint("order_id", "sequence"),
)


log_heads = Table(
    "log_heads",
    metadata,
    Column("bucket", SmallInteger, nullable=False, autoincrement=False),
    Column("position", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("bucket"),
)
"""One counter per bucket, inserted by the first migration. Their number is the number of buckets."""


# In the order of LogRecord's attributes, without the epoch, which only records of the topic have.
_RECORD = [order_events.c[name] for name in LogRecord._fields if name != "epoch"]


_COLUMNS = ", ".join(f"e.{column.name}" for column in _RECORD)


# LATERAL with LIMIT makes PostgreSQL use the primary key for every size of the log;
# CROSS JOIN does the same for SQLite, which never reorders around it.
_WANTED_POSTGRESQL = (
    "FROM unnest($1::int[], $2::bigint[], $3::int[]) AS wanted(bucket, after, share) "
    "CROSS JOIN LATERAL (SELECT * FROM order_events WHERE bucket = wanted.bucket AND position > wanted.after "
    "AND position <= wanted.after + wanted.share ORDER BY position LIMIT wanted.share) AS e"
)
_READ_POSTGRESQL = f"SELECT {_COLUMNS} {_WANTED_POSTGRESQL}"


_WANTED_SQLITE = (
    "FROM json_each(:wanted) AS wanted CROSS JOIN order_events AS e "
    "WHERE e.bucket = json_extract(wanted.value, '$[0]') AND e.position > json_extract(wanted.value, '$[1]') "
    "AND e.position <= json_extract(wanted.value, '$[1]') + json_extract(wanted.value, '$[2]')"
)
_READ_SQLITE = text(f"SELECT {_COLUMNS} {_WANTED_SQLITE} ORDER BY e.bucket, e.position").columns(*_RECORD)


# The sum of the sizes so far; the first record, even if it is too large, is always read. No body is fetched for that.
_SIZE, _FITS = (
    "sum(octet_length(e.body)) OVER (ROWS UNBOUNDED PRECEDING)",
    "e.size <= {} OR e.size = octet_length(body)",
)
_READ_BYTES_POSTGRESQL = (
    f"SELECT {_COLUMNS} FROM (SELECT e.*, {_SIZE} AS size {_WANTED_POSTGRESQL}) AS e WHERE {_FITS.format('$4')}"
)
_SIZE_SQLITE = "sum(length(e.body)) OVER (ORDER BY wanted.key, e.position ROWS UNBOUNDED PRECEDING)"
_READ_BYTES_SQLITE = text(
    f"SELECT {_COLUMNS} FROM (SELECT e.*, {_SIZE_SQLITE} AS size {_WANTED_SQLITE}) AS e "
    "WHERE e.size <= :max_bytes OR e.size = length(e.body) ORDER BY e.bucket, e.position"
).columns(*_RECORD)


_BODIES_POSTGRESQL = (
    "SELECT e.bucket, e.position, e.body FROM unnest($1::int[], $2::bigint[]) "
    "AS wanted(bucket, position) CROSS JOIN LATERAL (SELECT * FROM order_events "
    "WHERE bucket = wanted.bucket AND position = wanted.position LIMIT 1) AS e"
)


_BODIES_SQLITE = text(
    "SELECT e.bucket, e.position, e.body FROM json_each(:wanted) AS wanted CROSS JOIN order_events AS e "
    "WHERE e.bucket = json_extract(wanted.value, '$[0]') AND e.position = json_extract(wanted.value, '$[1]')"
)


_HEADS = "SELECT bucket, position FROM log_heads WHERE position > 0"


_SINCE = (
    select(order_events.c.bucket, func.min(order_events.c.position).label("position"))
    .where(order_events.c.occurred_at >= bindparam("moment"))
    .group_by(order_events.c.bucket)
)


_OF_ORDER = order_events.c.order_id == bindparam("order_id")


_HISTORY = select(*_RECORD).where(_OF_ORDER).order_by(order_events.c.sequence)


_TIMES = (
    select(order_events.c.sequence, order_events.c.requested_at, order_events.c.committed_at)
    .where(_OF_ORDER)
    .order_by(order_events.c.sequence)
)


@frozen
class SqlEventLog:
    database: Database

    async def heads(self) -> Positions:
        postgresql = self.database.backend == POSTGRESQL
        rows: Sequence[Any] = await (self.database.fetch(_HEADS) if postgresql else self.database.rows(text(_HEADS)))
        return dict(rows)

    async def read(
        self, after: Positions, *, limit: int, heads: Positions | None = None, max_bytes: int = UNBOUNDED
    ) -> Sequence[LogRecord]:
        """Read the next records. Positions are dense, and a head is committed with its events, so there are no gaps."""
        wanted = shares(after, await self.heads() if heads is None else heads, limit)
        if not wanted:
            return ()
        bounded = max_bytes < UNBOUNDED
        if self.database.backend == POSTGRESQL:
            arrays = zip(*wanted, strict=True)
            if bounded:
                rows = await self.database.fetch(_READ_BYTES_POSTGRESQL, *arrays, max_bytes)
            else:
                rows = await self.database.fetch(_READ_POSTGRESQL, *arrays)
            return sorted(starmap(LogRecord, rows))  # cheaper here than ORDER BY
        query, given = (_READ_BYTES_SQLITE, {"max_bytes": max_bytes}) if bounded else (_READ_SQLITE, {})
        return [*starmap(LogRecord, await self.database.rows(query, {"wanted": json.dumps(wanted), **given}))]

    async def bodies(self, addresses: Collection[Address]) -> Mapping[Address, bytes]:
        if not addresses:
            return {}
        if self.database.backend == POSTGRESQL:
            rows = await self.database.fetch(_BODIES_POSTGRESQL, *zip(*addresses, strict=True), primary=True)
        else:
            rows = await self.database.rows(_BODIES_SQLITE, {"wanted": json.dumps(list(addresses))})
        return {(bucket, position): body for bucket, position, body in rows}

    async def since(self, moment: datetime) -> Positions:
        return {row.bucket: row.position for row in await self.database.rows(_SINCE, {"moment": moment})}

    async def history(self, order_id: str) -> Sequence[LogRecord]:
        if "\0" in order_id:  # no order id has it, and PostgreSQL refuses it as a parameter
            return ()
        return [*starmap(LogRecord, await self.database.rows(_HISTORY, {"order_id": order_id}))]

    async def times(self, order_id: str) -> Sequence[EventTimes]:
        if "\0" in order_id:
            return ()
        return [*starmap(EventTimes, await self.database.rows(_TIMES, {"order_id": order_id}))]
