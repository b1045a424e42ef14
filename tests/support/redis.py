"""A real Redis on a free loopback port, which keeps nothing."""

import shutil
import socket
import tempfile
from pathlib import Path

from attrs import define, field

from .process import OwnProcess
from .servers import MissingServer, free_port
from .waiting import eventually

REMEDY = "Install it (Debian: apt-get install redis-server)"


@define
class RedisServer:
    """:raises MissingServer: when this machine has no Redis, at :meth:`start`."""

    port: int = field(factory=free_port)
    process: OwnProcess | None = field(default=None, init=False)
    _home: Path | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Run, and return when it answers."""
        if (program := shutil.which("redis-server")) is None:
            raise MissingServer("Redis", ["no redis-server on this machine"], REMEDY)
        if self.process is None:
            self._home = Path(tempfile.mkdtemp(prefix="orderflow-redis-"))
            command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            self.process = OwnProcess(command, self._home / "redis.log")
        self.process.start()

        def answers() -> bool:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    connection.sendall(b"PING\r\n")
                    return connection.recv(64).startswith(b"+PONG")
            except OSError:
                return False

        eventually(answers, that="Redis answers")

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
