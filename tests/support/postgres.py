"""A real PostgreSQL for tests: one that was given, one in a container, or one started here.

The server keeps its durable settings (``fsync``, ``synchronous_commit``): tests rely on what a commit promises.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

from .process import Account, OwnProcess
from .servers import MissingServer, Server, docker_answers, free_port, not_ours, started
from .waiting import eventually

T = TypeVar("T")

IMAGE = "postgres:17-alpine"
DEBIANS_VERSIONS = Path("/usr/lib/postgresql")
USER = "orderflow"
REMEDY = (
    "Install it (Debian: apt-get install postgresql), start Docker, "
    "or set ORDERFLOW_TEST_DATABASE_URL=postgresql://user:password@host:port/database"
)


class PostgresServer(Server):
    """A PostgreSQL that answers at ``url`` (``postgresql://user@127.0.0.1:port/postgres``).

    This class is a server that was given to the tests: they make databases in it and drop them at the end.
    What a subclass owns it can also stop, start, restart and kill; a test that asks that of a given server
    is skipped by name.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._made: list[str] = []

    def create_database(self, *, copied_from: str = "template1") -> str:
        """The address of a new database, empty or a copy; may be called with or without a running event loop."""
        name = f"orderflow_test_{uuid.uuid4().hex[:12]}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{urlsplit(copied_from).path.lstrip("/") or copied_from}"')
        self._made.append(name)
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def execute(self, statement: str) -> None:
        """Run one statement on the server's own database."""
        self.ask(statement)

    def ask(self, question: str) -> Any:
        """The first value that the server's own database answers; None for a statement without an answer."""
        return ask_at(self.url, question)

    def start(self) -> None:
        """Run, and return when it answers."""

    def stop(self) -> None:
        """End in order, keeping all data for :meth:`start`."""
        not_ours("the PostgreSQL server", "stop")

    def restart(self) -> None:
        """Stop in order and start again, at the same address with the same data."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """End at once, as in a power cut: what was committed must be there after :meth:`start`."""
        not_ours("the PostgreSQL server", "kill")

    def close(self) -> None:
        """Give back all that was made for the tests."""
        for name in self._made:
            self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._made.clear()


class ContainerPostgres(PostgresServer):
    """A PostgreSQL in a container of its own, on a fixed port so that a restart keeps the address."""

    def __init__(self) -> None:
        port = free_port()
        self._container = DockerContainer(
            IMAGE, env={"POSTGRES_USER": USER, "POSTGRES_PASSWORD": USER, "POSTGRES_DB": "postgres"}
        ).with_bind_ports(5432, port)
        super().__init__(f"postgresql://{USER}:{USER}@127.0.0.1:{port}/postgres")
        self._made_container = False

    def start(self) -> None:
        if self._made_container:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made_container = True
        eventually(lambda: answers(self.url), that="PostgreSQL in its container answers")

    def stop(self) -> None:
        self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def close(self) -> None:
        self._container.stop()


class LocalPostgres(PostgresServer):
    """A PostgreSQL of this machine's own programs, in a temporary folder on a free loopback port.

    PostgreSQL refuses to run as root; started by root it runs as ``postgres``, else ``nobody``.

    ``settings`` are the server's, besides or instead of ours; ``access`` are lines that ``pg_hba.conf`` begins with.

    :raises MissingServer: when this machine has no PostgreSQL programs.
    """

    def __init__(self, settings: Mapping[str, str] | None = None, *, access: Sequence[str] = ()) -> None:
        self._settings = settings or {}
        self._access = access
        self._programs = newest_programs()
        self._account = Account.unprivileged()
        self._home: Path | None = None
        self._port = free_port()
        self._process: OwnProcess | None = None
        super().__init__(f"postgresql://{USER}@127.0.0.1:{self._port}/postgres")

    def start(self) -> None:
        process = self._process or self._prepare()
        self._process = process
        process.start()

        def ready() -> bool:
            if not process.running:
                raise RuntimeError(f"PostgreSQL ended while it started:\n{process.last_words()}")
            return answers(self.url)

        eventually(ready, that="the local PostgreSQL answers")

    def stop(self) -> None:
        if self._process is not None:
            # SIGINT is PostgreSQL's fast shutdown: clients are let go, everything is written.
            self._process.stop(signal.SIGINT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def back_up(self) -> Path:
        """A base backup of the running server, as ``pg_basebackup`` makes it; it is gone when the server is closed."""
        if self._home is None:
            raise RuntimeError("a server that was never started has nothing to back up")
        backup = self._home / f"backup-{uuid.uuid4().hex[:8]}"
        command: list[str | Path] = [
            self._programs / "pg_basebackup",
            f"--dbname={self.url}",
            f"--pgdata={backup}",
            "--checkpoint=fast",
        ]
        self._run(command)
        return backup

    def restore(self, backup: Path) -> None:
        """Stop, take the backup in the place of all data, and start again, at the same address."""
        self.stop()
        if self._home is not None:
            shutil.rmtree(self._home / "data")
            self._run(["cp", "--archive", str(backup), str(self._home / "data")])
        self.start()

    def follow(self, primary: "LocalPostgres") -> None:
        """Start as an asynchronous standby of the running ``primary``, with all that it has."""
        self._home = self._made_home()
        self._run(
            [
                self._programs / "pg_basebackup",
                f"--dbname={primary.url}",
                f"--pgdata={self._home / 'data'}",
                "--checkpoint=fast",
                "--write-recovery-conf",
            ]
        )
        self._process = self._server(self._home)
        self.start()

    def let_go(self) -> None:
        """As a standby, hear no more of the primary: what it commits from now on, this one will lack."""
        self.execute("ALTER SYSTEM SET primary_conninfo = ''")
        self.execute("SELECT pg_reload_conf()")
        eventually(lambda: not self.ask("SELECT count(*) FROM pg_stat_wal_receiver"), that="the standby hears nothing")

    def or_primary(self, url: str) -> str:
        """The database at ``url`` of the primary or at this standby, whichever takes writes."""
        hosts = f"{urlsplit(url).netloc},127.0.0.1:{self._port}"
        return urlunsplit(urlsplit(url)._replace(netloc=hosts, query="target_session_attrs=read-write"))

    def promote(self) -> None:
        """As a standby, be the primary from now on."""
        self.execute("SELECT pg_promote()")

    def close(self) -> None:
        self.stop()
        self._process = None
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _prepare(self) -> OwnProcess:
        self._home = self._made_home()
        data = self._home / "data"
        self._run(
            [
                self._programs / "initdb",
                f"--pgdata={data}",
                f"--username={USER}",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
            ]
        )
        known = data / "pg_hba.conf"
        known.write_text("".join(f"{line}\n" for line in self._access) + known.read_text())
        return self._server(self._home)

    def _made_home(self) -> Path:
        home = Path(tempfile.mkdtemp(prefix="orderflow-postgres-"))
        if self._account is not None:
            self._account.own(home)
        return home

    def _server(self, home: Path) -> OwnProcess:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            **self._settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return OwnProcess(
            [str(self._programs / "postgres"), "-D", str(home / "data"), *options],
            log=home / "server.log",
            account=self._account,
        )

    def _run(self, command: Sequence[str | Path]) -> None:
        """One of PostgreSQL's programs, to its end, as the server's own user."""
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd=self._home,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )


def find_postgres() -> PostgresServer:
    """A running PostgreSQL from the first source that has one: given address, container, this machine.

    :raises MissingServer: when none has.
    """
    if url := os.environ.get("ORDERFLOW_TEST_DATABASE_URL"):
        return PostgresServer(url)
    tried = ["ORDERFLOW_TEST_DATABASE_URL is not set"]
    if docker_answers():
        try:
            return started(ContainerPostgres())
        except DockerException as refusal:
            tried.append(f"Docker has no {IMAGE}: {refusal}")
    else:
        tried.append("no Docker engine answers")
    try:
        local = LocalPostgres()
    except MissingServer as missing:
        raise MissingServer("PostgreSQL", tried + missing.tried, REMEDY) from missing
    return started(local)


def newest_programs() -> Path:
    """The folder with ``initdb`` and ``postgres`` of the newest version on this machine.

    :raises MissingServer: when there is none.
    """
    folders = {path.resolve() for path in DEBIANS_VERSIONS.glob("*/bin")}
    if on_path := shutil.which("postgres"):
        folders.add(Path(on_path).resolve().parent)
    complete = [folder for folder in folders if all((folder / it).exists() for it in ("initdb", "postgres"))]
    if not complete:
        raise MissingServer("PostgreSQL", ["no initdb and postgres on this machine"], REMEDY)
    return max(complete, key=_version)


def _version(programs: Path) -> tuple[int, ...]:
    answer = subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, text=True)
    return tuple(int(number) for number in re.findall(r"\d+", answer.stdout))


def ask_at(url: str, question: str) -> Any:
    """The first value that the database at ``url`` answers; may be called with or without a running event loop."""
    return _apart(_ask(url, question))


async def _ask(url: str, question: str) -> Any:
    connection = await asyncpg.connect(url, timeout=60)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def answers(url: str) -> bool:
    """Return whether a PostgreSQL, or a proxy before one, executes statements at ``url``."""
    try:
        ask_at(url, "SELECT 1")
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, TimeoutError):
        return False
    return True


def _apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a thread of its own, since the caller's may have a running event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()
