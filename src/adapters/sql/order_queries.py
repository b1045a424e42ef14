"""The queries of orders."""

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import RowMapping, bindparam, func, select

from ...application.orders.queries import OpenOrders, OrderPage, OrderQuery, StateCount
from ...domain.errors import OrderNotFound
from ...domain.lifecycle import OrderState
from ...domain.order import Order
from ...domain.text import is_identifier
from ..order_terms import WITHOUT_REGION, OrderTerms
from ..paging import cursor_after
from .database import POSTGRESQL, Database
from .order_search import OrderSearch
from .orders import order_of, orders


@frozen
class SqlOrderAudit:
    database: Database

    async def many(self, order_ids: Sequence[str]) -> Mapping[str, Order]:
        return await SqlOrderQueries(self.database).get_all(order_ids)

    async def count(self) -> int:
        async with self.database.reading() as connection:
            return await connection.scalar(select(func.count()).select_from(orders)) or 0


_IDS = func.json_each(bindparam("order_ids")).table_valued("value")
_SOME = select(orders).where(orders.c.id.in_(select(_IDS.c.value)))


_SOME_POSTGRESQL = f"SELECT {', '.join(column.name for column in orders.columns)} FROM orders WHERE id = ANY($1)"


_STILL_OPEN = (
    select(orders.c.state, func.count().label("orders"), func.min(orders.c.updated_at).label("since"))
    .where(orders.c.state.in_([state.value for state in OrderState if not state.terminal]))
    .group_by(orders.c.state)
)


LINES_AT_ONCE = 100
"""Lines of orders that a list decodes without a pause."""


@frozen
class SqlOrderQueries:
    database: Database
    terms: OrderTerms = WITHOUT_REGION

    async def get(self, order_id: str) -> Order:
        if not (found := await self.get_all([order_id])):
            raise OrderNotFound(order_id)
        return next(iter(found.values()))

    async def get_all(self, order_ids: Collection[str]) -> Mapping[str, Order]:
        """Read PostgreSQL without SQLAlchemy, which saves a fifth of the CPU time of a change."""
        if not (ids := list(filter(is_identifier, order_ids))):
            return {}
        rows: Iterable[Mapping[str, Any] | RowMapping]
        if self.database.backend == POSTGRESQL:
            rows = await self.database.fetch(_SOME_POSTGRESQL, ids)
        else:
            rows = (row._mapping for row in await self.database.rows(_SOME, {"order_ids": json.dumps(ids)}))
        return {order.id: order for order in map(order_of, rows)}

    async def list(self, query: OrderQuery) -> OrderPage:
        found, lines = list[Order](), 0
        for row in await OrderSearch(self.database, self.terms).page(query):
            found.append(order_of(row._mapping))
            lines += len(row.lines)
            if lines >= LINES_AT_ONCE:
                lines = 0
                await asyncio.sleep(0)  # others' turn: a page of large orders takes a quarter of a second
        page = tuple(found[: query.limit])
        more = len(found) > query.limit
        return OrderPage(page, cursor_after(page[-1], query) if more else None)

    async def count(self, query: OrderQuery) -> Sequence[StateCount]:
        return await OrderSearch(self.database, self.terms).count(query)

    async def still_open(self) -> Mapping[OrderState, OpenOrders]:
        found = await self.database.rows(_STILL_OPEN)
        return {OrderState(row.state): OpenOrders(orders=row.orders, since=row.since) for row in found}
