"""A real PgBouncer in transaction mode before a PostgreSQL, on a free loopback port."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from attrs import define

from .local_server import LocalServer
from .postgres import PostgresServer, answers
from .process import Account
from .servers import program


@define(eq=False)
class PgBouncer(LocalServer):
    """Gives each transaction one of ``connections`` to a database of ``postgres``; it tracks no prepared statements.

    It refuses to run as root; started by root it runs as ``postgres``, else ``nobody``.
    ``settings`` are lines of its own section, besides ours.

    :raises MissingServer: when this machine has no PgBouncer, at :meth:`start`.
    """

    postgres: PostgresServer
    connections: int = 3
    settings: tuple[str, ...] = ()

    def to(self, database_url: str) -> str:
        """The address by which the database of ``database_url`` is reached through it."""
        return urlunsplit(urlsplit(database_url)._replace(netloc=f"127.0.0.1:{self.port}"))

    @property
    def account(self) -> Account | None:
        return Account.unprivileged()

    def answers(self) -> bool:
        return answers(self.to(self.postgres.url))

    def command(self, home: Path) -> list[str]:
        there = urlsplit(self.postgres.url)
        server = f"host={there.hostname} port={there.port} user={there.username}"
        server += f" password={there.password}" if there.password else ""
        lines = [
            "[databases]",
            f"* = {server}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {self.port}",
            "unix_socket_dir =",
            "auth_type = any",
            "pool_mode = transaction",
            f"default_pool_size = {self.connections}",
            "max_client_conn = 500",
            *self.settings,
        ]
        file = home / "pgbouncer.ini"
        file.write_text("\n".join(lines) + "\n")
        remedy = "Install it (Debian: apt-get install pgbouncer)"
        return [program("pgbouncer", "/usr/sbin/pgbouncer", remedy=remedy), str(file)]
