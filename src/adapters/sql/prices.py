"""The price lists of restaurants as rows."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import asdict, frozen
from sqlalchemy import (
    Boolean,
    Column,
    Integer,
    PrimaryKeyConstraint,
    RowMapping,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.prices.ports import Item
from ...domain.money import Money
from ...domain.prices import Price, PriceList
from .bulk import among, insert_into, put
from .database import POSTGRESQL, Database
from .types import DecimalAmount, Identifier, Timestamp, metadata, read_time

price_lists = Table(
    "price_lists",
    metadata,
    Column("restaurant_id", Identifier, nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed_at", Timestamp, nullable=False),
    PrimaryKeyConstraint("restaurant_id"),
)
"""The version of each list, a row that a change locks."""


prices = Table(
    "prices",
    metadata,
    Column("restaurant_id", Identifier, nullable=False),
    Column("item_id", Identifier, nullable=False),
    Column("name", Text, nullable=False),
    Column("price", DecimalAmount, nullable=False),
    Column("currency", Text, nullable=False),
    Column("available", Boolean, nullable=False),
    Column("until", Timestamp),
    PrimaryKeyConstraint("restaurant_id", "item_id"),
)


_WANTED = func.json_each(bindparam("items")).table_valued("value")
_SOME = select(prices).where(
    tuple_(prices.c.restaurant_id, prices.c.item_id).in_(
        select(func.json_extract(_WANTED.c.value, "$[0]"), func.json_extract(_WANTED.c.value, "$[1]"))
    )
)
_SOME_POSTGRESQL = (
    f"SELECT {', '.join(f'prices.{column.name}' for column in prices.columns)} FROM prices "
    "JOIN unnest($1::text[], $2::text[]) AS wanted (restaurant_id, item_id) "
    "ON prices.restaurant_id = wanted.restaurant_id AND prices.item_id = wanted.item_id"
)


@frozen
class SqlPriceLists:
    database: Database

    async def get(self, restaurant_id: str) -> PriceList:
        async with self.database.reading() as connection:
            return await _list(connection, restaurant_id)

    async def find(self, items: Collection[Item]) -> Mapping[Item, Price]:
        """Read PostgreSQL without SQLAlchemy, as orders are read."""
        rows: Iterable[Mapping[str, Any] | RowMapping]
        if self.database.backend == POSTGRESQL:
            wanted = list(items)
            restaurants, ids = [restaurant for restaurant, _ in wanted], [item for _, item in wanted]
            rows = await self.database.fetch(_SOME_POSTGRESQL, restaurants, ids)
        else:
            rows = (row._mapping for row in await self.database.rows(_SOME, {"items": json.dumps(list(items))}))
        return {(row["restaurant_id"], row["item_id"]): _price(row) for row in rows}

    async def change(
        self,
        restaurant_id: str,
        put: Sequence[Price] = (),
        *,
        remove: Collection[str] = (),
        replace: bool = False,
        expected: int | None = None,
        at: datetime,
    ) -> tuple[PriceList, PriceList]:
        async with self.database.writing() as connection:
            row = {"restaurant_id": restaurant_id, "version": 0, "changed_at": at}
            await connection.execute(insert_into(connection, price_lists).values(row).on_conflict_do_nothing())
            # Locked until the commit, so that changes of one list follow one another.
            here = price_lists.c.restaurant_id == restaurant_id
            await connection.execute(select(price_lists.c.version).where(here).with_for_update())
            before = await _list(connection, restaurant_id)
            after = before.changed(put, remove=remove, replace=replace, expected=expected)
            if after is not before:
                await _store(connection, before, after)
                changed = update(price_lists).where(here).values(version=after.version, changed_at=at)
                await connection.execute(changed)
        return before, after

    async def any(self) -> bool:
        return bool(await self.database.rows(select(prices.c.item_id).limit(1)))


async def _list(connection: AsyncConnection, restaurant_id: str) -> PriceList:
    """Return the list in one query, so that its prices are those of its version."""
    versioned = price_lists.outerjoin(prices, prices.c.restaurant_id == price_lists.c.restaurant_id)
    found = await connection.execute(
        select(price_lists.c.version, prices)
        .select_from(versioned)
        .where(price_lists.c.restaurant_id == restaurant_id)
        .order_by(prices.c.item_id)
    )
    rows = found.mappings().all()
    return PriceList(
        restaurant_id=restaurant_id,
        version=rows[0]["version"] if rows else 0,
        prices={row["item_id"]: _price(row) for row in rows if row["item_id"] is not None},
    )


async def _store(connection: AsyncConnection, before: PriceList, after: PriceList) -> None:
    if gone := [item for item in before.prices if item not in after.prices]:
        own = (prices.c.restaurant_id == before.restaurant_id, among(connection, prices.c.item_id, gone))
        await connection.execute(delete(prices).where(*own))
    new = [price for item, price in after.prices.items() if before.prices.get(item) != price]
    await put(connection, prices, [_row(after.restaurant_id, price) for price in new])


def _row(restaurant_id: str, price: Price) -> dict[str, Any]:
    return {
        **asdict(price, recurse=False),
        "restaurant_id": restaurant_id,
        "price": price.price.amount,
        "currency": price.price.currency,
    }


def _price(row: Mapping[str, Any] | RowMapping) -> Price:
    return Price(
        item_id=row["item_id"],
        name=row["name"],
        price=Money(row["price"], row["currency"]),
        available=row["available"],
        until=None if row["until"] is None else read_time(row["until"]),
    )
