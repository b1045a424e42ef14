"""Many rows in one statement: one array per column for PostgreSQL, executemany for SQLite."""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Select,
    Table,
    Update,
    any_,
    bindparam,
    column,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from .database import Database

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert

Into = TypeVar("Into", SqliteInsert, "PostgresInsert")


def among(
    connection: AsyncConnection | AsyncEngine, it: ColumnElement[Any], values: Collection[Any]
) -> ColumnElement[bool]:
    """Build the condition that ``it`` is one of ``values``, with one parameter for any number of them."""
    if connection.dialect.name == "sqlite":
        each = func.json_each(literal(json.dumps(list(values)))).table_valued(column("value", it.type))
        return it.in_(select(each.c.value))
    return it == any_(literal(list(values), ARRAY(it.type, dimensions=1)))


def insert_into(connection: AsyncConnection, table: Table) -> "SqliteInsert | PostgresInsert":
    """Return an INSERT that may have an ON CONFLICT clause, in the connection's dialect."""
    return SqliteInsert(table) if connection.dialect.name == "sqlite" else _postgres_insert(table)


async def put(
    connection: AsyncConnection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    replace: bool = True,
) -> None:
    """Insert ``rows``, which name every column. A row whose key exists replaces it, or is left out without ``replace``.

    With ``replace``, keys must be unique in ``rows``.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        await connection.execute(_one_by_one(table, replace), rows)
    else:
        columns = {f"all_{name}": [row[name] for row in rows] for name in _names(table)}
        await connection.execute(_all_at_once(table, replace), columns)


async def change(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], *, where: str = "true"
) -> None:
    """Update the rows with these keys for which ``where`` is true. All ``rows`` name the same columns."""
    if not rows:
        return
    names = tuple(rows[0])
    if connection.dialect.name == "sqlite":
        one = _change_one_by_one(table, names, where)
        await connection.execute(one, [{f"all_{name}": row[name] for name in names} for row in rows])
    else:
        columns = {f"all_{name}": [row[name] for row in rows] for name in names}
        await connection.execute(_change_all_at_once(table, names, where), columns)


@cache
def _change_one_by_one(table: Table, names: Sequence[str], where: str) -> Update:
    key = table.primary_key.columns.keys()
    here = [table.c[name] == bindparam(f"all_{name}") for name in key]
    changed = update(table).where(*here, text(where))
    return changed.values({name: bindparam(f"all_{name}") for name in names if name not in key})


@cache
def _change_all_at_once(table: Table, names: Sequence[str], where: str) -> Update:
    key = table.primary_key.columns.keys()
    new = select(*(_unnested(table.c[name]).label(name) for name in names)).subquery("new")
    here = [table.c[name] == new.c[name] for name in key]
    return update(table).where(*here, text(where)).values({name: new.c[name] for name in names if name not in key})


@cache
def _one_by_one(table: Table, replace: bool) -> SqliteInsert:
    return _on_conflict(SqliteInsert(table), table, replace)


@cache
def _all_at_once(table: Table, replace: bool) -> "PostgresInsert":
    arrays = select(*(_unnested(it) for it in table.c))
    return _on_conflict(_postgres_insert(table).from_select(list(table.c), arrays), table, replace)


def _postgres_insert(table: Table) -> "PostgresInsert":
    """Return the INSERT of a dialect that an installation on SQLite does not import."""
    from sqlalchemy.dialects.postgresql import Insert

    return Insert(table)


def _unnested(it: Column[Any]) -> ColumnElement[Any]:
    return func.unnest(bindparam(f"all_{it.name}", type_=ARRAY(it.type, dimensions=1)), type_=it.type)


def _on_conflict(insert: Into, table: Table, replace: bool) -> Into:
    key = table.primary_key.columns.keys()
    changed = {name: insert.excluded[name] for name in _names(table) if name not in key}
    if replace and changed:
        return insert.on_conflict_do_update(index_elements=key, set_=changed)
    return insert.on_conflict_do_nothing(index_elements=key)


def _names(table: Table) -> list[str]:
    return [it.name for it in table.c]


Row = Mapping[Any, Any]


async def select_among(connection: AsyncConnection, column: Column[Any], values: Collection[Any]) -> Sequence[Any]:
    """Return the rows of the column's table in which it is one of ``values``."""
    if not values:
        return []
    found = await connection.execute(select(column.table).where(among(connection, column, values)))
    return found.mappings().all()


async def select_all(database: Database, query: Select[Any]) -> Sequence[Any]:
    return [row._mapping for row in await database.rows(query)]
