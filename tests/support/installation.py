"""An installation for tests: orderflow's processes as users start them on one database, and what they say."""

import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen

from tests.support.commands import CommandResult
from tests.support.stack import PROGRAM, Stack
from tests.support.waiting import eventually


@frozen
class RunningProcess:
    """One process, and what it has said on standard error so far."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def line(self, event: str) -> Mapping[str, Any]:
        """The first log line whose event begins so, waited for."""

        def found() -> Mapping[str, Any] | None:
            ended = self.process.poll()
            lines = (json.loads(line) for line in self.said().splitlines(keepends=True) if line.endswith("}\n"))
            line = next((line for line in lines if line["event"].startswith(event)), None)
            assert line or ended is None, f"ended with {ended}: {self.said()}"
            return line

        line: Mapping[str, Any] | None = eventually(found, deadline=180, that=f"{event!r} in the log")
        assert line is not None
        return line

    @property
    def url(self) -> str:
        """Its URL, once it answers."""
        return str(self.line("listening")["url"])

    @property
    def operations(self) -> str:
        """The URL of its operations server, once that answers."""
        return str(self.line("operations")["url"])

    def exit_code(self, how: signal.Signals | None = None, *, within: float = 180) -> int:
        """Wait until it ends, by itself or after that signal, and return its exit code."""
        if how is not None:
            self.process.send_signal(how)
        return self.process.wait(within)


@define
class Installation:
    """``orderflow`` on one database, its processes and its commands. All processes end with the test."""

    stack: Stack
    started: list[RunningProcess] = field(factory=list)

    @property
    def file(self) -> str:
        return self.stack.database_url.removeprefix("sqlite:///")

    def start(self, *arguments: str, code: Path | None = None, **settings: str) -> RunningProcess:
        """A process with these settings besides the installation's own, such as ``HTTP_HOST``.

        ``code`` is a folder with another ``orderflow`` to run than this one.
        """
        log = self.stack.folder / f"{len(self.started)}-{arguments[0]}.log"
        own = {"PYTHONPATH": str(code)} if code else {"ORDERFLOW_STOP_GRACE_SECONDS": "0"}
        kept = self.stack.environment
        if code:  # an older version does not know them
            kept.pop("ORDERFLOW_HTTP_DEV")
            kept.pop("ORDERFLOW_PAYMENT_GATEWAY")
        environment = kept | {
            **own,
            "ORDERFLOW_LOG_LEVEL": "info",
            "ORDERFLOW_HTTP_PORT": "0",
            "ORDERFLOW_POLL_SECONDS": "0.05",
            **{f"ORDERFLOW_{name}": value for name, value in settings.items()},
        }
        with log.open("wb") as said:
            process = subprocess.Popen((*PROGRAM, *arguments), stdout=said, stderr=said, env=environment)
        self.started.append(RunningProcess(process, log))
        return self.started[-1]

    def run(self, *arguments: str) -> Any:
        """Return the result of a command, which runs in this process."""
        return self.stack.command_line.json(*arguments)

    def attempt(self, *arguments: str, **settings: str) -> CommandResult:
        """Return the result of a process that cannot start, which for that is run in this one."""
        line = self.stack.command_line
        more = {f"ORDERFLOW_{name}": value for name, value in settings.items()}
        return evolve(line, more={**line.more, **more})(*arguments)

    def count(self, table: str) -> int:
        with closing(sqlite3.connect(self.file)) as database:
            return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@contextmanager
def installation(stack: Stack) -> Iterator[Installation]:
    """``orderflow`` where ``stack`` says; what still runs at the end is killed."""
    here = Installation(stack)
    try:
        yield here
    finally:
        for running in here.started:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
