"""The registry of processes as rows. On PostgreSQL, the database's clock measures their silence."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import asdict, frozen
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    Interval,
    PrimaryKeyConstraint,
    RowMapping,
    Table,
    Text,
    bindparam,
    delete,
    literal,
    or_,
    select,
)

from ...application.health.processes import Failure, KnownProcess, Part, Process
from .bulk import insert_into
from .database import POSTGRESQL, Database
from .types import Identifier, Timestamp, metadata

processes = Table(
    "processes",
    metadata,
    Column("id", Identifier, nullable=False),
    Column("version", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("last_seen_at", Timestamp, nullable=False),
    Column("local_time", Timestamp, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("failed_part", Text),
    Column("failure_code", Text),
    Column("failure_message", Text),
    Column("failed_at", Timestamp),
    PrimaryKeyConstraint("id"),
)
"""``last_seen_at`` is the database's time of the last heartbeat, ``local_time`` the process's."""


_SAME = ("id", "version", "host", "pid", "started_at", "failures")
"""The columns that have the value of the attribute with their name."""
_BY_ID = processes.c.id == bindparam("process_id")


@frozen
class SqlProcessRegistry:
    database: Database

    async def heartbeat(self, process: Process, at: datetime) -> None:
        row = {**_row(process), "local_time": at, "last_seen_at": self._ago(0)}
        async with self.database.writing() as connection:
            into = insert_into(connection, processes).values(row)
            changed = {name: into.excluded[name] for name in row if name != "id"}
            await connection.execute(into.on_conflict_do_update(index_elements=["id"], set_=changed))

    async def deregister(self, id: str) -> None:
        async with self.database.writing() as connection:
            await connection.execute(delete(processes).where(_BY_ID), {"process_id": id})

    async def all(self) -> Sequence[KnownProcess]:
        query = select(processes, self._ago(0).label("now"))
        async with self.database.reading() as connection:
            rows = await connection.execute(query.order_by(processes.c.started_at, processes.c.id))
            return [_known_process(row) for row in rows.mappings()]

    async def prune(self, silent_for: float) -> int:
        seen = processes.c.last_seen_at
        old = delete(processes).where(or_(seen <= self._ago(silent_for), seen > self._ago(-silent_for)))
        async with self.database.writing() as connection:
            return (await connection.execute(old)).rowcount

    def _ago(self, seconds: float) -> ColumnElement[datetime]:
        """Build the database's time so many seconds ago; for SQLite it is this process's time."""
        passed = timedelta(seconds=seconds)
        if self.database.backend == POSTGRESQL:
            return self.database.clock() - literal(passed, Interval())
        return literal(datetime.now(UTC) - passed, Timestamp())


def _row(process: Process) -> dict[str, Any]:
    failure = process.failure
    return {
        **{name: getattr(process, name) for name in _SAME},
        "parts": [asdict(part) for part in process.parts],
        "failed_part": failure and failure.part,
        "failure_code": failure and failure.code,
        "failure_message": failure and failure.message,
        "failed_at": failure and failure.at,
    }


def _known_process(row: RowMapping) -> KnownProcess:
    same = {name: row[name] for name in _SAME}
    return KnownProcess(
        process=Process(**same, parts=tuple(_part(each) for each in row["parts"]), failure=_failure(row)),
        last_seen_at=row["last_seen_at"],
        silent=(row["now"] - row["last_seen_at"]).total_seconds(),
        clock_ahead=(row["local_time"] - row["last_seen_at"]).total_seconds(),
    )


def _part(part: Mapping[str, Any]) -> Part:
    partitions = part["partitions"]
    partitions = None if partitions is None else tuple(partitions)
    return Part(part["name"], partitions, part["url"], part.get("stopped", ""))  # older versions do not write it


def _failure(row: RowMapping) -> Failure | None:
    if row["failure_code"] is None:
        return None
    return Failure(
        part=row["failed_part"], code=row["failure_code"], message=row["failure_message"], at=row["failed_at"]
    )
