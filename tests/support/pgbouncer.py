"""A real PgBouncer in transaction mode before a PostgreSQL, on a free loopback port."""

import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from attrs import define, field

from .postgres import PostgresServer, answers
from .process import Account, OwnProcess
from .servers import MissingServer, free_port
from .waiting import eventually

REMEDY = "Install it (Debian: apt-get install pgbouncer)"
DEBIANS = Path("/usr/sbin/pgbouncer")


@define
class PgBouncer:
    """Gives each transaction one of ``connections`` to a database of ``postgres``; it tracks no prepared statements.

    It refuses to run as root; started by root it runs as ``postgres``, else ``nobody``.
    ``settings`` are lines of its own section, besides ours.

    :raises MissingServer: when this machine has no PgBouncer, at :meth:`start`.
    """

    postgres: PostgresServer
    connections: int = 3
    settings: tuple[str, ...] = ()
    _port: int = field(factory=free_port, init=False)
    _home: Path | None = field(default=None, init=False)
    _process: OwnProcess | None = field(default=None, init=False)

    def to(self, database_url: str) -> str:
        """The address by which the database of ``database_url`` is reached through it."""
        return urlunsplit(urlsplit(database_url)._replace(netloc=f"127.0.0.1:{self._port}"))

    def start(self) -> None:
        """Run, and return when it answers."""
        if self._process is None:
            self._process = self._prepare()
        process = self._process
        process.start()

        def ready() -> bool:
            if not process.running:
                raise RuntimeError(f"PgBouncer ended while it started:\n{process.last_words()}")
            return answers(self.to(self.postgres.url))

        eventually(ready, that="PgBouncer answers")

    def close(self) -> None:
        """End it, even with open connections."""
        if self._process is not None:
            self._process.stop()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)

    def _prepare(self) -> OwnProcess:
        program = _program()
        self._home = Path(tempfile.mkdtemp(prefix="orderflow-pgbouncer-"))
        file = self._home / "pgbouncer.ini"
        file.write_text(self._configuration())
        account = Account.unprivileged()
        if account is not None:
            account.own(self._home)
            account.own(file)
        return OwnProcess([program, str(file)], log=self._home / "log", account=account)

    def _configuration(self) -> str:
        there = urlsplit(self.postgres.url)
        server = f"host={there.hostname} port={there.port} user={there.username}"
        server += f" password={there.password}" if there.password else ""
        lines = [
            "[databases]",
            f"* = {server}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {self._port}",
            "unix_socket_dir =",
            "auth_type = any",
            "pool_mode = transaction",
            f"default_pool_size = {self.connections}",
            "max_client_conn = 500",
            *self.settings,
        ]
        return "\n".join(lines) + "\n"


def _program() -> str:
    found = shutil.which("pgbouncer") or (str(DEBIANS) if DEBIANS.exists() else None)
    if found is None:
        raise MissingServer("PgBouncer", ["no pgbouncer on this machine"], REMEDY)
    return found
