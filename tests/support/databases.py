"""Databases whose schema the migrations made: once a session, and empty for every test."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from orderflow.adapters.sql import SqlStorage, upgrade
from orderflow.adapters.sql.types import metadata
from sqlalchemy import text


def migrated(url: str) -> str:
    """``url`` itself, brought to the newest version; may be called with or without a running event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, upgrade(url)).result()
    return url


def at_version(url: str, version: str) -> None:
    """Bring the database to an older version."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, upgrade(url, to=version)).result()


async def empty(storage: SqlStorage) -> None:
    """Leave nothing in an open PostgreSQL storage but the log's counters, at 0."""
    async with storage.database.writing() as connection:
        tables = [name for name in metadata.tables if name != "log_heads"]
        await connection.execute(text(f"TRUNCATE {', '.join(tables)}"))
        await connection.execute(text("UPDATE log_heads SET position = 0 WHERE position <> 0"))
