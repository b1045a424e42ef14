"""The orders table as the checker sees it."""

from collections.abc import Mapping, Sequence

from attrs import frozen
from sqlalchemy import func, select

from ...domain.order import Order
from .bulk import among
from .database import Database
from .rows import order_of
from .tables import orders


@frozen
class SqlOrderAudit:
    database: Database

    async def many(self, order_ids: Sequence[str]) -> Mapping[str, Order]:
        async with self.database.reading() as connection:
            result = await connection.execute(select(orders).where(among(connection, orders.c.id, order_ids)))
            return {row["id"]: order_of(row) for row in result.mappings()}

    async def count(self) -> int:
        async with self.database.reading() as connection:
            return await connection.scalar(select(func.count()).select_from(orders)) or 0
