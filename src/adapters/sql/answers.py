"""Answers given to requests with an idempotency key. They are written by the committer, with their order."""

from datetime import datetime

from attrs import frozen
from sqlalchemy import bindparam, delete, select

from ...application.reading import Answer
from .database import Database
from .tables import idempotency_keys

_FIND = select(idempotency_keys.c.fingerprint, idempotency_keys.c.answer, idempotency_keys.c.order_id).where(
    idempotency_keys.c.caller == bindparam("caller"), idempotency_keys.c.key == bindparam("key")
)


@frozen
class SqlAnswers:
    database: Database

    async def find(self, caller: str, key: str) -> Answer | None:
        found = await self.database.rows(_FIND, {"caller": caller, "key": key})
        return next((Answer(row.fingerprint, row.answer, row.order_id) for row in found), None)

    async def forget_before(self, moment: datetime) -> int:
        old = delete(idempotency_keys).where(idempotency_keys.c.created_at < moment)
        async with self.database.writing() as connection:
            return (await connection.execute(old)).rowcount
