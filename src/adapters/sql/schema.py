"""The schema's version: which one is newest, which one a database has, and how it gets there."""

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ...domain.errors import NotConfigured
from .database import POSTGRESQL, Database

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"
"""The table in which alembic records the version."""
_MIGRATION_LOCK = 0x6F72646572666C77
"""PostgreSQL's advisory lock that one migrating process holds ("orderflw")."""
_WAIT_FOR_OTHER_MIGRATION = "10min"

logger = logging.getLogger("orderflow.schema")


def newest() -> str:
    """The newest version that this orderflow knows."""
    if not known():
        raise NotConfigured("this installation has no migrations", "install orderflow anew")
    return known()[-1]


async def current(url: str, *, pooled: bool = False) -> str | None:
    """The version that the database is at; None before the first. Raises StorageUnavailable."""
    database = Database.at(url, pool_size=1, pooled=pooled)
    try:
        return await current_of(database)
    finally:
        await database.close()


async def upgrade(url: str, *, to: str = "head", pooled: bool = False) -> str:
    """Bring the database to the newest version, all steps in one transaction or none; which version it is at then.

    Of several processes one migrates, and the others wait for it. One that a later orderflow migrated stays as it is.
    Raises StorageUnavailable; NotConfigured as ``check`` does. ``to`` stops at an earlier version.
    """
    database = Database.at(url, pool_size=1, pooled=pooled)
    try:
        async with database.writing() as connection:
            if database.backend == POSTGRESQL:
                await connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_FOR_OTHER_MIGRATION}'"))
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            return await connection.run_sync(_upgrade, to)
    finally:
        await database.close()


async def check(database: Database) -> None:
    """Raises NotConfigured unless the database is at the newest version, or at a later one that only adds to it."""
    at = await current_of(database)
    if at is None or (at in known() and at != newest()):
        mend = "run `orderflow db upgrade`"
        raise NotConfigured(f"database schema is at {at or 'nothing'}, newest is {newest()}", mend)
    if _of_later(at):
        logger.warning("the database schema is a later orderflow's, which only added to it", extra={"schema": at})


def _of_later(at: str) -> bool:
    """Whether ``at`` is a later orderflow's. Raises NotConfigured for one that this orderflow cannot work with.

    A version's first digit is its generation. Within one a migration only adds, so that the orderflow before it goes
    on while processes are replaced; one that takes something away, which needs all of them stopped, begins another.
    """
    if at in known():
        return False
    if at[:1] != newest()[:1] or at < newest():
        raise NotConfigured(f"database schema is at {at}, newest known is {newest()}", "install the newer orderflow")
    return True


@cache
def known() -> Sequence[str]:
    """Return all versions that this orderflow knows, the oldest first.

    They are read from the files' names, which begin with the version, so that only ``upgrade`` needs alembic.
    """
    return tuple(sorted(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")))


async def current_of(database: Database) -> str | None:
    """As :func:`current`, of a database that is there already."""
    async with database.reading() as connection:
        return await current_on(connection)


async def current_on(connection: AsyncConnection) -> str | None:
    """As :func:`current`, of the database of ``connection``."""
    return await connection.run_sync(_current)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    version: str | None = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))
    return version


def _upgrade(connection: Connection, to: str) -> str:
    from alembic import command

    at = _current(connection)
    if at is not None and _of_later(at):
        return at
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)
    return _current(connection) or ""


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    # A percent sign is the beginning of an interpolation to alembic.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
