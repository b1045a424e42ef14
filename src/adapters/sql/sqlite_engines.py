"""Engines for SQLite: their connections, session settings, and the identity of the file."""

import os
from errno import EACCES
from typing import Any
from weakref import WeakSet

import msgspec
from attrs import define, field
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from ...domain.errors import InvalidInput, NotConfigured
from . import engines
from .engines import ALLOWED_URLS, READING

_FILE = "orderflow_file"
_OWNER_ONLY = 0o600
"""SQLite gives the WAL and its index the permissions of the database."""


_OPEN: "WeakSet[SqliteFile]" = WeakSet()
"""The files that have connections, or had them when this process was forked."""


@define(eq=False)
class SqliteFile:
    """The file of a database, as its connections see it.

    A connection keeps a file that was removed or replaced open: what it writes there is lost when the process ends.
    So no connection is used unless it leads to the file at the path. A file that was there is never created again. A
    new file, and so its WAL, can be read and written by its owner only.

    SQLite keeps its locks in the memory of the process, which a fork copies: https://www.sqlite.org/howtocorrupt.html
    (2.6). So a process that was forked while the file was open is refused.
    """

    url: URL
    _there: bool = field(default=False, init=False)
    _process: int = field(default=0, init=False)

    @classmethod
    def at(cls, url: str) -> "SqliteFile":
        """Return the file at ``url``, also after the process has changed its directory. Raises InvalidInput."""
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise InvalidInput("database url", str(error), ALLOWED_URLS) from error
        try:
            file = os.path.abspath(parsed.database or "")
        except OSError as error:
            problem = "its file is relative to the working directory, which is gone"
            raise InvalidInput("database url", problem, "an absolute path: sqlite:////...") from error
        return cls(parsed.set(database=file))

    def watch(self, engine: Engine) -> None:
        """Check the file before each use of a connection of ``engine``. Uses fail with FileNotFoundError without it."""
        event.listen(engine, "do_connect", self._before_connecting)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "checkout", self._before_use)

    def closed(self) -> None:
        """Note that all connections are closed."""
        _OPEN.discard(self)

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.url.database or "")
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino

    def _before_connecting(self, dialect: object, record: object, arguments: object, options: object) -> None:
        if any(other.url.database == self.url.database and other._process != os.getpid() for other in [*_OPEN]):
            raise NotConfigured(
                "this process was forked while the SQLite database was open, which SQLite does not allow",
                "open it after the fork only, start processes with spawn, or use PostgreSQL",
            )
        file = self.url.database or ""
        if self._identity() is not None:
            _check_usable(file)
            return
        if self._there:
            raise self._gone()
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, _OWNER_ONLY))  # SQLite would not say why it cannot

    def _connected(self, dbapi_connection: object, record: Any) -> None:
        self._there, self._process = True, os.getpid()
        _OPEN.add(self)
        record.info[_FILE] = self._identity()

    def _before_use(self, dbapi_connection: object, record: Any, proxy: object) -> None:
        identity = self._identity()
        if identity is None:
            raise self._gone()
        if identity != record.info[_FILE]:
            raise InvalidatePoolError()

    def _gone(self) -> FileNotFoundError:
        return FileNotFoundError(f"its file is gone: {self.url.database}")


def _check_usable(file: str) -> None:
    """Raise NotConfigured if ``file`` is a folder or a device, and PermissionError if it may not be read.

    SQLite would say the same of both, and for some wait for ever. It is not opened: that would end SQLite's locks.
    """
    if not os.path.isfile(file):
        raise NotConfigured(f"{file} is a folder or a device", "set the URL of the database to a file")
    if not os.access(file, os.R_OK):
        raise PermissionError(EACCES, os.strerror(EACCES), file)


def sqlite_engine(file: SqliteFile, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        file.url.set(drivername="sqlite+aiosqlite"),
        pool_size=pool_size,
        pool_timeout=engines.POOL_SECONDS,
        **_options(),
    )
    _listen(engine.sync_engine, file)
    return engine


def sqlite_on_a_thread(file: SqliteFile, *, reading: bool = False) -> Engine:
    """Create an engine with one connection for use on one thread."""
    engine = create_engine(file.url, pool_size=1, execution_options={READING: reading}, **_options())
    _listen(engine, file)
    return engine


def _options() -> dict[str, Any]:
    return {
        "max_overflow": 0,
        "connect_args": {"timeout": engines.LOCK_SECONDS},
        "json_serializer": engines.to_json,
        "json_deserializer": msgspec.json.decode,
        "hide_parameters": True,  # in error messages
    }


def _listen(engine: Engine, file: SqliteFile) -> None:
    file.watch(engine)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


def _prepare_sqlite(dbapi_connection: Any, record: object) -> None:
    cursor = dbapi_connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={int(engines.LOCK_SECONDS * 1000)}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction with the write lock, so that it cannot fail to get it later."""
    if not connection.get_execution_options().get(READING):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
