"""Databases with the newest schema: migrated once, and copied or emptied for every test."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from orderflow.adapters.sql import consumer_store, customers, upgrade  # noqa: F401  their tables are emptied, too
from orderflow.adapters.sql.database import SQLITE, Database
from orderflow.adapters.sql.types import metadata
from sqlalchemy import Connection

from tests.support.postgres import PostgresServer, ask_at

# Tests leave few rows: deleting them is far quicker than TRUNCATE, which makes every table's files anew.
_EMPTYING = [
    *(f"DELETE FROM {table}" for table in metadata.sorted_tables if table.name != "log_heads"),
    "UPDATE log_heads SET position = 0 WHERE position <> 0",
]
_EMPTYING_AT_ONCE = f"DO $$ BEGIN {'; '.join(_EMPTYING)}; END $$"


def migrated(url: str, *, to: str = "head") -> str:
    """``url`` itself, brought to the newest version or ``to`` another; with or without a running event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, upgrade(url, to=to)).result()
    return url


def migrated_database(server: PostgresServer) -> str:
    """The address of a new database of ``server`` with the newest schema: a copy of one that was migrated once."""
    return server.create_database(copied_from=_template(server))


@cache
def _template(server: PostgresServer) -> str:
    return migrated(server.create_database())


def emptied(url: str) -> str:
    """``url`` itself, a PostgreSQL database in which nothing is left but the log's counters, at 0."""
    ask_at(url, _EMPTYING_AT_ONCE)
    return url


async def empty(database: Database) -> None:
    """Leave nothing in an open database but the log's counters, at 0."""

    def delete_all(connection: Connection) -> None:
        for statement in _EMPTYING:
            connection.exec_driver_sql(statement)

    if database.backend == SQLITE:
        await database.run_transaction(delete_all)
    else:
        async with database.driver() as connection:
            await connection.execute(_EMPTYING_AT_ONCE)
