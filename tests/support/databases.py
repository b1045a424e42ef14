"""Databases with the newest schema: migrated once, and copied or emptied for every test."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from orderflow.adapters.sql import upgrade
from orderflow.adapters.sql.types import metadata

from tests.support.postgres import PostgresServer, ask_at


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
    # Tests leave few rows: deleting them is far quicker than TRUNCATE, which makes every table's files anew.
    deleted = "".join(
        f"DELETE FROM {table};" for table in reversed(metadata.sorted_tables) if table.name != "log_heads"
    )
    ask_at(url, f"DO $$ BEGIN {deleted} UPDATE log_heads SET position = 0 WHERE position <> 0; END $$")
    return url
