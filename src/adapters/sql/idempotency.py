"""Responses to requests with an idempotency key. The committer writes them with their order."""

from datetime import datetime

from attrs import frozen
from sqlalchemy import (
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    select,
    text,
)

from ...application.orders.idempotency import DELETED_AT_ONCE, StoredResponse
from .database import POSTGRESQL, Database
from .types import Identifier, Timestamp, metadata

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("caller", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("order_id", Identifier, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("caller", "key"),
)
Index(None, idempotency_keys.c.created_at)


_FIND = select(idempotency_keys.c.fingerprint, idempotency_keys.c.response, idempotency_keys.c.order_id).where(
    idempotency_keys.c.caller == bindparam("caller"), idempotency_keys.c.key == bindparam("key")
)


# By the place of the rows, so that no statistics make PostgreSQL read the whole table.
_OLD = "FROM idempotency_keys WHERE created_at < :moment ORDER BY created_at LIMIT :limit"
_MOMENT = bindparam("moment", type_=idempotency_keys.c.created_at.type)
_DELETE_POSTGRESQL = text(
    f"DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(SELECT ctid {_OLD} FOR UPDATE SKIP LOCKED))"
).bindparams(_MOMENT)
_DELETE_SQLITE = text(f"DELETE FROM idempotency_keys WHERE rowid IN (SELECT rowid {_OLD})").bindparams(_MOMENT)


@frozen
class SqlIdempotencyStore:
    database: Database

    async def find(self, caller: str, key: str) -> StoredResponse | None:
        found = await self.database.rows(_FIND, {"caller": caller, "key": key})
        return next((StoredResponse(row.fingerprint, row.response, row.order_id) for row in found), None)

    async def delete_before(self, moment: datetime) -> int:
        """Delete the oldest. Those that another process is deleting are left to it, so nothing waits for a lock."""
        delete = _DELETE_POSTGRESQL if self.database.backend == POSTGRESQL else _DELETE_SQLITE
        async with self.database.writing() as connection:
            return (await connection.execute(delete, {"moment": moment, "limit": DELETED_AT_ONCE})).rowcount
