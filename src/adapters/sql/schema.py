"""Versions of the schema, and the migration to the newest one."""

import logging
import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ...application.health.facts import ENCODING
from ...domain.errors import NotConfigured
from ...domain.text import shown
from .database import POSTGRESQL, Database

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"
"""The table in which alembic records the version."""
_OWN_TABLES = {"order_events", "log_heads"}
"""Tables that every version has, and hardly another application."""
_TAKEN = re.compile("already (exists|a table named)")
_MIGRATION_LOCK = 0x6F72646572666C77
"""The key of the advisory lock that a migrating process holds ("orderflw")."""
_WAIT_FOR_OTHER_MIGRATION = "10min"

logger = logging.getLogger("orderflow.schema")


def newest() -> str:
    """Return the newest version that this release knows."""
    if not known():
        raise NotConfigured("this installation has no migrations", "reinstall orderflow")
    return known()[-1]


def exists(url: str) -> bool:
    """Return False if ``url`` names a SQLite file that is not there, or is empty: connecting would create it.

    True if something else is there, or that cannot be seen: connecting says what is wrong.
    """
    if not url.startswith("sqlite:"):
        return True
    try:
        found = os.stat(make_url(url).database or "")
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return found.st_size > 0 or not S_ISREG(found.st_mode)


def is_foreign(url: str) -> bool:
    """Return True if ``url`` names a SQLite file with tables of another application, and none of orderflow.

    The file is not changed.
    """
    if not url.startswith("sqlite:"):
        return False
    file = Path(make_url(url).database or "").absolute()
    if not os.path.isfile(file):
        return False
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error:
        return False  # opening it says what is wrong
    return bool(tables) and not _OWN_TABLES & tables


async def current(url: str, *, pooled: bool = False) -> str | None:
    """Return the version of the database's schema; None before the first. Raises StorageUnavailable."""
    database = Database.at(url, pool_size=1, pooled=pooled)
    try:
        async with database.reading() as connection:
            return await current_on(connection)
    finally:
        await database.close()


async def upgrade(url: str, *, to: str = "head", pooled: bool = False) -> str:
    """Migrate the database to the newest version in one transaction. Returns its version after that.

    Of several processes one migrates, and the others wait for it. A later version of the same generation is left
    unchanged. ``to`` stops at an earlier version. Raises StorageUnavailable; NotConfigured as ``check`` does.
    """
    database = Database.at(url, pool_size=1, pooled=pooled)
    try:
        async with database.writing() as connection:
            if database.backend == POSTGRESQL:
                await _check_encoding(connection)
                await connection.execute(text(f"SET LOCAL lock_timeout = '{_WAIT_FOR_OTHER_MIGRATION}'"))
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            return await connection.run_sync(_upgrade, to)
    finally:
        await database.close()


async def check(database: Database) -> None:
    """Check that this release works with the schema: the newest version or a later one of its generation.

    Raises NotConfigured if it does not, or if the database cannot store every text.
    """
    async with database.reading() as connection:
        if database.backend == POSTGRESQL:
            await _check_encoding(connection)
        at = await current_on(connection)
    if at is None or (at in known() and at != newest()):
        fix = "run `orderflow db upgrade`"
        raise NotConfigured(f"database schema is at {at or 'nothing'}, newest is {newest()}", fix)
    if _of_later(at):
        logger.warning("the database schema is of a later release of the same generation", extra={"schema": at})


async def _check_encoding(connection: AsyncConnection) -> None:
    encoding = await connection.scalar(text("SHOW server_encoding"))
    if encoding != ENCODING:
        raise NotConfigured(
            f"the database's encoding is {encoding}, in which most of the world's characters cannot be stored",
            f"create one with `createdb --encoding={ENCODING} --template=template0`",
        )


def _of_later(at: str) -> bool:
    """Return True for a version of a later release. Raises NotConfigured for one that this release cannot work with.

    A version's first digit is its generation. Within a generation migrations only add, so that earlier releases can
    run meanwhile. A migration that removes or renames starts a generation; all processes have to be stopped for it.
    """
    if at in known():
        return False
    if not at.isdecimal():
        fix = "give orderflow a database of its own"
        raise NotConfigured(f"the table {_VERSION_TABLE} is another application's: it is at {shown(at)}", fix)
    if at[:1] != newest()[:1] or at < newest():
        raise NotConfigured(f"database schema is at {at}, newest known is {newest()}", "install the newer orderflow")
    return True


@cache
def known() -> Sequence[str]:
    """Return all versions that this release knows, the oldest first.

    They are read from the files' names, which begin with the version, so that only ``upgrade`` needs alembic.
    """
    return tuple(sorted(file.name.partition("_")[0] for file in (_MIGRATIONS / "versions").glob("[0-9]*_*.py")))


async def current_on(connection: AsyncConnection) -> str | None:
    """Return the version of the schema of the database of ``connection``."""
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
    try:
        command.upgrade(config, to)
    except DBAPIError as error:
        if _TAKEN.search(str(error.orig)):
            problem = f"the database has a name of orderflow's already: {str(error.orig).splitlines()[0]}"
            raise NotConfigured(problem, "give orderflow a database of its own") from error
        raise
    return _current(connection) or ""


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    # Alembic interpolates percent signs.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
