"""A production stack for tests: orderflow's processes as users start them, on a real PostgreSQL and a real Kafka."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from attrs import define, field

from tests.support.commands import CommandLine
from tests.support.process import OwnProcess
from tests.support.servers import free_port
from tests.support.waiting import eventually

PROGRAM = (
    sys.executable,
    "-c",
    "import sys; sys.modules.update(fastapi=None, pydantic_settings=None)\n"
    "from orderflow.entrypoints.cli import main; main()",
)
"""As in an environment without these two, which other tests need: dependency-injector imports them where they are."""
PARTS: Mapping[str, Sequence[str]] = {
    "relay": ("relay",),
    "notifications": ("consume", "notifications"),
    "analytics": ("consume", "analytics"),
    "inventory": ("consume", "inventory"),
}
"""Relay and consumers, each a process of its own."""


@define
class Stack:
    """``folder`` gets the logs; ``settings`` are further variables.

    Schema and topic are made when the stack is entered; all processes end with it.
    """

    folder: Path
    database_url: str
    bootstrap_servers: str
    topic: str
    settings: Mapping[str, str] = field(factory=dict, kw_only=True)
    parts: Mapping[str, Sequence[str]] = field(default=PARTS, kw_only=True)
    """The commands of the processes, by the names of the parts."""
    processes: dict[str, OwnProcess] = field(factory=dict, init=False)
    doors: dict[str, int] = field(factory=dict, init=False)
    """The ports of the operations doors of the parts that were started."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return kept | {
            "ORDERFLOW_DATABASE_URL": self.database_url,
            "ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "ORDERFLOW_TOPIC": self.topic,
            "ORDERFLOW_LOG_LEVEL": "warning",
            "ORDERFLOW_LOG_FORMAT": "json",
            "ORDERFLOW_HTTP_DEV": "true",
            "ORDERFLOW_PAYMENT_GATEWAY": "sandbox",
            **self.settings,
        }

    @property
    def command_line(self) -> CommandLine:
        """Its commands, in this process: for a test that is not about how a process starts."""
        kafka = {"ORDERFLOW_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers, "ORDERFLOW_TOPIC": self.topic}
        return CommandLine(self.database_url, kafka | dict(self.settings))

    def start(self, part: str) -> None:
        """Start a part that does not run."""
        port = self.doors.setdefault(part, free_port())
        process = self.processes.get(part) or OwnProcess(
            (*PROGRAM, *self.parts[part]),
            self.folder / f"{part}.log",
            environment=self.environment | {"ORDERFLOW_OPS_PORT": str(port)},
        )
        self.processes[part] = process
        process.start()

    def await_ready(self, *, deadline: float = 180) -> None:
        """Return when every part that was started has what it needs."""

        def ready(part: str) -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{self.doors[part]}/readyz").status_code == 200
            except httpx.TransportError:
                return False

        for part in self.processes:
            eventually(partial(ready, part), deadline=deadline, every=0.1, that=f"{part} is ready")

    def kill(self, part: str) -> None:
        """SIGKILL, and start it again."""
        self.processes[part].kill()
        self.start(part)

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command line of its own, in the background; its output goes to the folder."""
        with (
            (self.folder / f"{arguments[0]}.out").open("wb") as out,
            (self.folder / f"{arguments[0]}.err").open("wb") as err,
        ):
            return subprocess.Popen((*PROGRAM, *arguments), stdout=out, stderr=err, env=self.environment)

    def run(self, *arguments: str, within: float = 120) -> Any:
        """Return the command's output with ``--json``. An exit code other than 0 fails, with all its output."""
        done = subprocess.run(
            (*PROGRAM, "--json", *arguments), capture_output=True, env=self.environment, timeout=within, check=False
        )
        said = f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout.decode()}\n{done.stderr.decode()}"
        assert done.returncode == 0, said
        return json.loads(done.stdout)


@contextmanager
def production(
    folder: Path,
    database_url: str,
    bootstrap_servers: str,
    topic: str,
    parts: Mapping[str, Sequence[str]] = PARTS,
    **settings: str,
) -> Iterator[Stack]:
    """A migrated database, a topic, and relay and consumers running on them."""
    stack = Stack(folder, database_url, bootstrap_servers, topic, settings=settings, parts=parts)
    stack.command_line.json("db", "upgrade")
    stack.command_line.json("topics", "create")
    try:
        for part in parts:
            stack.start(part)
        stack.await_ready()
        yield stack
    finally:
        for process in stack.processes.values():
            process.stop()
