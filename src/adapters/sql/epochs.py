"""The log's epochs as rows."""

from collections import defaultdict
from datetime import UTC, datetime

from attrs import frozen
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    bindparam,
    func,
    insert,
    select,
    text,
)

from ...application.event_log.records import FIRST_EPOCH, RELAY
from ...application.maintenance.maintenance_log import MaintenanceEntry, MaintenanceKind
from ...application.recovery.epochs import Epoch, Epochs
from .cursors import cursors
from .database import POSTGRESQL, Database, repeated
from .maintenance_log import maintenance_log, note_of, record
from .types import Counter, metadata

log_epochs = Table(
    "log_epochs",
    metadata,
    Column("epoch", Integer, nullable=False, autoincrement=False),
    Column("entry", Counter, nullable=False),
    PrimaryKeyConstraint("epoch"),
)
"""The epochs after the first, and their entries in the maintenance log. Rows are never updated or deleted."""


log_epoch_buckets = Table(
    "log_epoch_buckets",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("bucket", SmallInteger, nullable=False),
    Column("kept_up_to", BigInteger, nullable=False),
    PrimaryKeyConstraint("epoch", "bucket"),
)
"""The last position of earlier epochs that is still valid, for each bucket in which an epoch reuses addresses."""


_EPOCHS = (
    select(log_epochs.c.epoch, maintenance_log.c.at, maintenance_log.c.by, maintenance_log.c.reason)
    .join(maintenance_log, maintenance_log.c.entry == log_epochs.c.entry)
    .order_by(log_epochs.c.epoch)
)


_SET_BACK = text(
    "UPDATE cursors SET position = :kept_up_to, updated_at = :now WHERE reader = :reader AND bucket = :bucket "
    "AND position > :kept_up_to"
).bindparams(bindparam("now", type_=cursors.c.updated_at.type))


@frozen
class SqlEpochs:
    database: Database

    @repeated
    async def all(self) -> Epochs:
        async with self.database.reading() as connection:
            rows = (await connection.execute(_EPOCHS)).all()
            if not rows:
                return Epochs()
            kept: dict[int, dict[int, int]] = defaultdict(dict)
            for row in await connection.execute(select(log_epoch_buckets)):
                kept[row.epoch][row.bucket] = row.kept_up_to
        return Epochs(tuple(Epoch(epoch=row.epoch, note=note_of(row._mapping), kept=kept[row.epoch]) for row in rows))

    async def begin(self, epoch: Epoch) -> bool:
        now = datetime.now(UTC)
        async with self.database.writing() as connection:
            if self.database.backend == POSTGRESQL:  # concurrent calls wait here
                await connection.execute(text("LOCK TABLE log_epochs IN EXCLUSIVE MODE"))
            before = await connection.scalar(select(func.max(log_epochs.c.epoch))) or FIRST_EPOCH
            if epoch.epoch <= before:
                return False
            entry = MaintenanceEntry(kind=MaintenanceKind.EPOCH, note=epoch.note, before=before, after=epoch.epoch)
            number = await record(connection, entry)
            await connection.execute(insert(log_epochs).values(epoch=epoch.epoch, entry=number))
            if epoch.kept:
                rows = [{"epoch": epoch.epoch, "bucket": b, "kept_up_to": at} for b, at in sorted(epoch.kept.items())]
                await connection.execute(insert(log_epoch_buckets), rows)
                floors = [
                    {"reader": RELAY, "bucket": b, "kept_up_to": at, "now": now} for b, at in sorted(epoch.kept.items())
                ]
                await connection.execute(_SET_BACK, floors)
        return True
