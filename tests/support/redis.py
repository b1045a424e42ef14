"""A real Redis on a free loopback port, which keeps nothing."""

import socket
from pathlib import Path

from attrs import define

from .local_server import LocalServer
from .servers import program


@define(eq=False)
class RedisServer(LocalServer):
    """:raises MissingServer: when this machine has no Redis, at :meth:`start`."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self, home: Path) -> list[str]:
        redis = program("redis-server", remedy="Install it (Debian: apt-get install redis-server)")
        return [redis, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
