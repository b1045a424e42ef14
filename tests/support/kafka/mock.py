"""librdkafka's mock cluster in a process of its own: a stand-in for a developer who has no Kafka.

It produces, consumes and keeps consumer groups; its topics come by themselves with four partitions.
It keeps nothing over a stop, and has no command-line tools: :func:`needs_real_kafka` skips what that takes.
"""

import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from .broker import KafkaBroker, needs_real_kafka

PROGRAM = Path(__file__).parents[1] / "mock_kafka.py"


class MockKafka(KafkaBroker):
    """The stand-in; it ends when its parent does, as its standard input is closed then."""

    real = False

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        super().__init__("")

    def start(self) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            assert self._process.stdout is not None
            self.bootstrap_servers = self._process.stdout.readline().strip()
        self.wait_ready()

    def stop(self) -> None:
        needs_real_kafka(self, "records that outlive a stop of the broker")

    def kill(self) -> None:
        needs_real_kafka(self, "records that outlive the end of the broker")

    def create_topic(self, name: str, *, partitions: int = 3, config: dict[str, str] | None = None) -> None:
        """The mock makes a topic when it is first asked for, always with four partitions and no configuration."""
        self._admin().list_topics(name, timeout=10)

    def tool(self, main: str, *arguments: str, deadline: float = 60.0) -> NoReturn:
        needs_real_kafka(self, f"what {main} prints")
        raise AssertionError("the test was skipped")

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate("")
            self._process = None
