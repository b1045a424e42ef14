"""The real servers that are measured on, started when first asked for. They are found as the tests find theirs."""

import asyncio
import os
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from attrs import define, field, frozen
from orderflow.adapters.kafka import KafkaSettings
from tests.support.databases import migrated
from tests.support.kafka import KafkaBroker, find_kafka
from tests.support.kafka.distribution import version
from tests.support.postgres import PostgresServer, find_postgres
from tests.support.stack import PROGRAM


def new_topic() -> str:
    """A name that no topic has."""
    return f"orders-{uuid.uuid4().hex[:12]}"


@define
class Servers:
    """One PostgreSQL, one Kafka and one folder for a run; all are gone at its end."""

    _closing: ExitStack = field(factory=ExitStack, init=False)
    _postgres: PostgresServer | None = field(default=None, init=False)
    _kafka: KafkaBroker | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def versions(self) -> list[str]:
        """Return the versions of the servers that were started."""
        postgres = [] if self._postgres is None else [f"PostgreSQL {self._postgres.ask('SHOW server_version')}"]
        return postgres + ([] if self._kafka is None else [f"Apache Kafka {version()}"])

    def folder(self) -> Path:
        """An empty folder."""
        return Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="orderflow-bench-")))

    def database(self) -> str:
        """The address of a new PostgreSQL database with the newest schema. Raises MissingServer."""
        return migrated(self.empty_database())

    def empty_database(self) -> str:
        """The address of a new PostgreSQL database. Raises MissingServer."""
        if self._postgres is None:
            self._postgres = find_postgres()
            self._closing.callback(self._postgres.close)
        return self._postgres.create_database()

    def sqlite(self) -> str:
        """The address of a new SQLite file with the newest schema."""
        return migrated(f"sqlite:///{self.folder() / 'orders.db'}")

    def topic(self) -> KafkaSettings:
        """A new topic with three partitions. Raises MissingServer."""
        topic = new_topic()
        self.kafka.create_topic(topic)
        return KafkaSettings(bootstrap_servers=self.kafka.bootstrap_servers, topic=topic)

    @property
    def kafka(self) -> KafkaBroker:
        """The broker. Raises MissingServer as ``topic``."""
        if self._kafka is None:
            self._kafka = find_kafka()
            self._closing.callback(self._kafka.close)
        return self._kafka


@frozen
class ApiProcess:
    """A running API process. ``log`` reads what it logs, and returns the number of bytes when the process has ended."""

    port: int
    operations_port: int
    process: psutil.Process
    log: asyncio.Task[int]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def api_process(database_url: str, **settings: str) -> AsyncIterator[ApiProcess]:
    """Run the API alone on that database, with these ``ORDERFLOW_`` settings, and stop it at the end."""
    settings = {"DATABASE_URL": database_url, "HTTP_PORT": "0", "HTTP_DEV": "true", "LOG_FORMAT": "json", **settings}
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "serve", "--no-relay", "--no-consumers"),
        env={**os.environ, **{f"ORDERFLOW_{name}": value for name, value in settings.items()}},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert process.stderr is not None
    try:
        operations = await _logged_port(process.stderr, b'"operations"')
        port = await _logged_port(process.stderr, b'"listening"')
        log = asyncio.create_task(_drain(process.stderr))
        yield ApiProcess(port, operations, psutil.Process(process.pid), log)
    finally:
        process.terminate()
        await process.wait()
    await log


async def _logged_port(stderr: asyncio.StreamReader, event: bytes) -> int:
    while line := await stderr.readline():
        if event in line:
            return int(line.partition(b'"url":"http://127.0.0.1:')[2].partition(b'"')[0])
    raise RuntimeError("the API did not start")


async def _drain(stderr: asyncio.StreamReader) -> int:
    written = 0
    while text := await stderr.read(65_536):
        written += len(text)
    return written
