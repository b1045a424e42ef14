"""Orders as rows: one for a unit of work, and pages of them for reading."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from sqlalchemy import RowMapping, Select, bindparam, func, literal, select, tuple_

from ...application.reading import OpenOrders, OrderPage, OrderQuery
from ...application.write_set import WriteSet
from ...domain.errors import InvalidInput, OrderNotFound
from ...domain.identifiers import identifier
from ...domain.lifecycle import OrderState
from ...domain.order import Order
from ..paging import after_cursor, cursor_of
from .database import POSTGRESQL, Database
from .rows import order_of
from .tables import Moment, orders

_ONE = select(orders).where(orders.c.id == bindparam("order_id"))
_ONE_POSTGRESQL = f"SELECT {', '.join(column.name for column in orders.columns)} FROM orders WHERE id = $1"


@frozen
class SqlOrderRepository:
    """The orders of one unit of work: reads what is committed, and gathers what is saved."""

    views: "SqlOrderViews"
    writes: WriteSet

    async def get(self, order_id: str) -> Order:
        order = await self.views.get(order_id)
        self.writes.loaded(order)
        return order

    def save(self, order: Order) -> None:
        self.writes.save(order)


_STILL_OPEN = (
    select(orders.c.state, func.count().label("orders"), func.min(orders.c.updated_at).label("since"))
    .where(orders.c.state.in_([state.value for state in OrderState if not state.terminal]))
    .group_by(orders.c.state)
)


@frozen
class SqlOrderViews:
    database: Database

    async def get(self, order_id: str) -> Order:
        if not _possible(order_id):
            raise OrderNotFound(order_id)
        row = await self._row(order_id)
        if row is None:
            raise OrderNotFound(order_id)
        return order_of(row)

    async def _row(self, order_id: str) -> Mapping[str, Any] | RowMapping | None:
        """Every change of an order begins here; through SQLAlchemy it would take a fifth more of this process."""
        if self.database.backend != POSTGRESQL:
            return next((row._mapping for row in await self.database.rows(_ONE, {"order_id": order_id})), None)
        return next(map(dict, await self.database.fetch(_ONE_POSTGRESQL, order_id)), None)

    async def list(self, query: OrderQuery) -> OrderPage:
        if not all(map(_possible, filter(None, (query.customer_id, query.restaurant_id, query.shipper_id)))):
            return OrderPage(())
        found = [order_of(row._mapping) for row in await self.database.rows(_page(query))]
        page = tuple(found[: query.limit])
        more = len(found) > query.limit
        return OrderPage(page, cursor_of(page[-1].created_at, page[-1].id) if more else None)

    async def still_open(self) -> Mapping[OrderState, OpenOrders]:
        found = await self.database.rows(_STILL_OPEN)
        return {OrderState(row.state): OpenOrders(orders=row.orders, since=row.since) for row in found}


def _possible(text: str) -> bool:
    """What cannot be an identifier is not there, and not every database could be asked for it."""
    try:
        identifier(text, field="id")
    except InvalidInput:
        return False
    return True


def _page(query: OrderQuery) -> Select[Any]:
    """One row more than the page holds, which tells whether another page follows."""
    newest_first = (orders.c.created_at.desc(), orders.c.id.desc())
    page = select(orders).order_by(*newest_first).limit(query.limit + 1)
    for column, wanted in (
        (orders.c.customer_id, query.customer_id),
        (orders.c.restaurant_id, query.restaurant_id),
        (orders.c.shipper_id, query.shipper_id),
        (orders.c.state, query.state.value if query.state is not None else None),
    ):
        if wanted is not None:
            page = page.where(column == wanted)
    if query.created_from is not None:
        page = page.where(orders.c.created_at >= query.created_from)
    if query.created_until is not None:
        page = page.where(orders.c.created_at < query.created_until)
    if query.cursor is not None:
        at, order_id = after_cursor(query.cursor)
        place = tuple_(literal(at, Moment()), literal(order_id, orders.c.id.type))
        page = page.where(tuple_(orders.c.created_at, orders.c.id) < place)
    return page
