"""Stripe's own mock server on a free loopback port: it checks each request by Stripe's OpenAPI description."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

from attrs import define, field

from .process import OwnProcess
from .servers import MissingServer, free_port
from .waiting import eventually

REMEDY = "Run `.ci/run`, or `go install github.com/stripe/stripe-mock@latest` with Go's bin folder in PATH"


def program() -> str | None:
    """The program in PATH, or in the cache in which `.ci/run` installs it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return shutil.which("stripe-mock") or shutil.which(cache / "orderflow" / "stripe-mock" / "stripe-mock")


@define
class StripeMock:
    """:raises MissingServer: when this machine has no stripe-mock, at :meth:`start`."""

    port: int = field(factory=free_port)
    process: OwnProcess | None = field(default=None, init=False)
    _home: Path | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Run, and return when it answers."""
        if (found := program()) is None:
            raise MissingServer("stripe-mock", ["it is neither in PATH nor in the cache"], REMEDY)
        if self.process is None:
            self._home = Path(tempfile.mkdtemp(prefix="orderflow-stripe-"))
            self.process = OwnProcess([found, "-http-addr", f"127.0.0.1:{self.port}"], self._home / "mock.log")
        self.process.start()

        def answers() -> bool:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                    return True
            except OSError:
                return False

        eventually(answers, that="stripe-mock answers")

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
