"""Orders as rows, and their queries."""

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from attrs import asdict, frozen
from sqlalchemy import (
    JSON,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    RowMapping,
    Select,
    Table,
    Text,
    bindparam,
    func,
    literal,
    select,
    text,
    tuple_,
)

from ...application.orders.queries import OpenOrders, OrderPage, OrderQuery
from ...domain.errors import OrderNotFound
from ...domain.events import OrderLine
from ...domain.lifecycle import ASSIGNABLE, OrderState
from ...domain.money import Money
from ...domain.order import Order
from ...domain.payment import NO_REFUNDS, Payment, PaymentMethod, PaymentStatus
from ...domain.refund import Refunds
from ...domain.text import is_identifier
from ...domain.validation import Address
from ..paging import decode_cursor, encode_cursor
from .database import POSTGRESQL, Database
from .engines import to_json
from .types import DecimalAmount, Identifier, Row, Timestamp, metadata, stored_time

orders = Table(
    "orders",
    metadata,
    Column("id", Identifier, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("customer_id", Identifier, nullable=False),
    Column("restaurant_id", Identifier, nullable=False),
    Column("shipper_id", Identifier),
    Column("lines", JSON, nullable=False),
    Column("delivery_fee", DecimalAmount, nullable=False),
    Column("currency", Text, nullable=False),
    Column("payment_method", Text, nullable=False),
    Column("payment_status", Text, nullable=False),
    Column("card_token", Text),
    Column("address", JSON(none_as_null=True)),
    Column("created_at", Timestamp, nullable=False),
    Column("updated_at", Timestamp, nullable=False),
    Column("estimated_at", Timestamp),
    Column("delivered_at", Timestamp),
    Column("delivery_minutes", Integer),
    Column("cancel_reason", Text),
    Column("cancelled_by", Text),
    Column("refund_requested", DecimalAmount),
    Column("refund_declined", DecimalAmount),
    Column("refunded", DecimalAmount),
    PrimaryKeyConstraint("id"),
)
Index(None, orders.c.created_at, orders.c.id)
Index(None, orders.c.customer_id, orders.c.created_at, orders.c.id)
Index(None, orders.c.restaurant_id, orders.c.created_at, orders.c.id)
Index(None, orders.c.state, orders.c.created_at, orders.c.id)
Index(
    None,
    orders.c.shipper_id,
    orders.c.created_at,
    orders.c.id,
    postgresql_where=text("shipper_id IS NOT NULL"),
    sqlite_where=text("shipper_id IS NOT NULL"),
)


CHANGING = [
    "version",
    "state",
    "shipper_id",
    "payment_status",
    "updated_at",
    "estimated_at",
    "delivered_at",
    "delivery_minutes",
    "cancel_reason",
    "cancelled_by",
    "refund_requested",
    "refund_declined",
    "refunded",
]
"""The columns that change after an order was placed. No behaviour of an order changes the others, so a change
does not write them; it would bring back what was erased meanwhile."""


def row_of(order: Order) -> Row:
    """Return the values of the ``orders`` row, in the order of its columns and in their stored form."""
    lines = [
        {
            "food_id": line.food_id,
            "food_name": line.food_name,
            "price": format(line.price.amount, "f"),
            "quantity": line.quantity,
            "discount": format(line.discount.amount, "f"),
        }
        for line in order.lines
    ]
    version, state, shipper_id, payment_status, updated_at, *outcome = changes_of(order)
    return (
        order.id,
        version,
        state,
        order.customer_id,
        order.restaurant_id,
        shipper_id,
        to_json(lines),
        format(order.delivery_fee.amount, "f"),
        order.currency,
        order.payment.method.value,
        payment_status,
        order.payment.card_token,
        None if order.address is None else to_json(asdict(order.address)),
        updated_at if order.created_at is order.updated_at else stored_time(order.created_at),
        updated_at,
        *outcome,
    )


def changes_of(order: Order) -> Row:
    """Return the values of the CHANGING columns in their stored form."""
    refunds = order.payment.refunds
    return (
        order.version,
        order.state.value,
        order.shipper_id,
        order.payment.status.value,
        stored_time(order.updated_at),
        None if order.estimated_at is None else stored_time(order.estimated_at),
        None if order.delivered_at is None else stored_time(order.delivered_at),
        order.delivery_minutes,
        order.cancel_reason,
        order.cancelled_by,
        *(
            _NOTHING_REFUNDED
            if refunds is NO_REFUNDS
            else map(_amount, (refunds.requested, refunds.declined, refunds.paid_back))
        ),
    )


_NOTHING_REFUNDED = (None, None, None)


def _amount(amount: Decimal) -> str | None:
    return format(amount, "f") if amount else None


def _refunds_of(row: Mapping[str, Any] | RowMapping) -> Refunds:
    amounts = row["refund_requested"], row["refund_declined"], row["refunded"]
    if amounts == _NOTHING_REFUNDED:
        return NO_REFUNDS
    requested, declined, paid_back = (Decimal(0) if amount is None else amount for amount in amounts)
    return Refunds(requested=requested, declined=declined, paid_back=paid_back)


def order_of(row: Mapping[str, Any] | RowMapping) -> Order:
    """Return the order of ``row``."""
    currency = row["currency"]
    address = row["address"]
    return Order(
        id=row["id"],
        customer_id=row["customer_id"],
        restaurant_id=row["restaurant_id"],
        lines=tuple(
            OrderLine(
                food_id=line["food_id"],
                food_name=line["food_name"],
                price=Money(Decimal(line["price"]), currency),
                quantity=line["quantity"],
                discount=Money(Decimal(line["discount"]), currency),
            )
            for line in row["lines"]
        ),
        delivery_fee=Money(row["delivery_fee"], currency),
        payment=Payment(
            method=PaymentMethod(row["payment_method"]),
            card_token=row["card_token"],
            status=PaymentStatus(row["payment_status"]),
            refunds=_refunds_of(row),
        ),
        address=None if address is None else Address(**address),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        state=OrderState(row["state"]),
        shipper_id=row["shipper_id"],
        estimated_at=row["estimated_at"],
        delivered_at=row["delivered_at"],
        delivery_minutes=row["delivery_minutes"],
        cancel_reason=row["cancel_reason"],
        cancelled_by=row["cancelled_by"],
        version=row["version"],
    )


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

    async def get(self, order_id: str) -> Order:
        if (order := (await self.get_all([order_id])).get(order_id)) is None:
            raise OrderNotFound(order_id)
        return order

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
        for row in await self.database.rows(_page(query)):
            found.append(order_of(row._mapping))
            lines += len(row.lines)
            if lines >= LINES_AT_ONCE:
                lines = 0
                await asyncio.sleep(0)  # others' turn: a page of large orders takes a quarter of a second
        page = tuple(found[: query.limit])
        more = len(found) > query.limit
        return OrderPage(page, encode_cursor(page[-1].created_at, page[-1].id) if more else None)

    async def still_open(self) -> Mapping[OrderState, OpenOrders]:
        found = await self.database.rows(_STILL_OPEN)
        return {OrderState(row.state): OpenOrders(orders=row.orders, since=row.since) for row in found}


def _page(query: OrderQuery) -> Select[Any]:
    """Select one row more than the page holds, to know whether another page follows."""
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
    if query.available:
        page = page.where(orders.c.shipper_id.is_(None), orders.c.state.in_([state.value for state in ASSIGNABLE]))
    if query.created_from is not None:
        page = page.where(orders.c.created_at >= query.created_from)
    if query.created_until is not None:
        page = page.where(orders.c.created_at < query.created_until)
    if query.cursor is not None:
        at, order_id = decode_cursor(query.cursor)
        after = tuple_(literal(at, Timestamp()), literal(order_id, orders.c.id.type))
        page = page.where(tuple_(orders.c.created_at, orders.c.id) < after)
    return page
