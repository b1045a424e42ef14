"""A server of this machine's own program, on a free loopback port, in a temporary folder: nothing of it is kept."""

import shutil
import socket
import tempfile
from abc import abstractmethod
from pathlib import Path

from attrs import define, field

from .process import Account, OwnProcess
from .servers import Server, free_port
from .waiting import eventually


@define(eq=False)
class LocalServer(Server):
    """A subclass says how it is started, and when it answers.

    :raises MissingServer: when this machine lacks the program, at :meth:`start`.
    """

    port: int = field(factory=free_port, init=False)
    process: OwnProcess | None = field(default=None, init=False)

    @abstractmethod
    def command(self, home: Path) -> list[str]:
        """The command line, after the files that it needs were written to ``home``."""

    def answers(self) -> bool:
        """Return whether it is ready: here, whether it accepts connections."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5):
                return True
        except OSError:
            return False

    @property
    def account(self) -> Account | None:
        """The user that it runs as, if that is another one than this process's."""
        return None

    def start(self) -> None:
        """Run, and return when it answers; one that runs already goes on."""
        if self.process is None:
            home = Path(tempfile.mkdtemp(prefix=f"orderflow-{type(self).__name__.lower()}-"))
            self.process = OwnProcess(self.command(home), home / "server.log", account=self.account)
            if self.account is not None:
                for path in (home, *home.iterdir()):
                    self.account.own(path)
        process = self.process
        process.start()

        def ready() -> bool:
            if not process.running:
                raise RuntimeError(f"{process.command[0]} ended while it started:\n{process.last_words()}")
            return self.answers()

        eventually(ready, that=f"{process.command[0]} answers")

    def close(self) -> None:
        """End it at once, and remove all that it has written."""
        if self.process is not None:
            self.process.kill()
            shutil.rmtree(self.process.log.parent, ignore_errors=True)
            self.process = None
