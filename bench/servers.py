"""The real servers that are measured on, started when first asked for. They are found as the tests find theirs."""

import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field
from orderflow.adapters.kafka import KafkaSettings
from tests.support.databases import migrated
from tests.support.kafka import KafkaBroker, find_kafka
from tests.support.kafka.distribution import version
from tests.support.postgres import PostgresServer, find_postgres


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
