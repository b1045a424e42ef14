"""The schema's version: which one is newest, which one a database has, and how it gets there."""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ...domain.errors import NotConfigured
from .database import POSTGRESQL, Database

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6F72646572666C77
"""PostgreSQL's advisory lock that one migrating process holds ("orderflw")."""
_WAIT_FOR_OTHER_MIGRATION = "10min"


def newest() -> str:
    """The newest version that this orderflow knows."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise NotConfigured("this installation has no migrations", "install orderflow anew")
    return head


async def current(url: str) -> str | None:
    """The version that the database is at; None before the first. Raises StorageUnavailable."""
    database = Database.at(url, pool_size=1)
    try:
        return await current_of(database)
    finally:
        await database.close()


async def upgrade(url: str) -> str:
    """Bring the database to the newest version, all steps in one transaction or none; which version it is.

    Of several processes one migrates, and the others wait for it. Raises StorageUnavailable, NotConfigured.
    """
    database = Database.at(url, pool_size=1)
    try:
        async with database.writing() as connection:
            if database.backend == POSTGRESQL:
                await connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_FOR_OTHER_MIGRATION}'"))
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            await connection.run_sync(_upgrade)
    finally:
        await database.close()
    return newest()


async def check(database: Database) -> None:
    """Raises NotConfigured unless the database is at the newest version."""
    at, wanted = await current_of(database), newest()
    if at == wanted:
        return
    if at is not None and at not in known():
        raise NotConfigured(f"database schema is at {at}, newest known is {wanted}", "install the newer orderflow")
    raise NotConfigured(f"database schema is at {at or 'nothing'}, newest is {wanted}", "run `orderflow db upgrade`")


def known() -> Sequence[str]:
    """All versions that this orderflow knows, the oldest first."""
    return [script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()][::-1]


async def current_of(database: Database) -> str | None:
    """As :func:`current`, of a database that is there already."""
    async with database.reading() as connection:
        return await current_on(connection)


async def current_on(connection: AsyncConnection) -> str | None:
    """As :func:`current`, of the database of ``connection``."""
    return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    at = MigrationContext.configure(connection).get_current_revision()
    if at is not None and at not in known():
        raise NotConfigured(f"database schema is at {at}, newest known is {newest()}", "install the newer orderflow")
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    # A percent sign is the beginning of an interpolation to alembic.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
