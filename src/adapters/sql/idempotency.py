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
    delete,
    select,
)

from ...application.orders.idempotency import StoredResponse
from .database import Database
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


@frozen
class SqlIdempotencyStore:
    database: Database

    async def find(self, caller: str, key: str) -> StoredResponse | None:
        found = await self.database.rows(_FIND, {"caller": caller, "key": key})
        return next((StoredResponse(row.fingerprint, row.response, row.order_id) for row in found), None)

    async def delete_before(self, moment: datetime) -> int:
        old = delete(idempotency_keys).where(idempotency_keys.c.created_at < moment)
        async with self.database.writing() as connection:
            return (await connection.execute(old)).rowcount
