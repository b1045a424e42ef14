"""The doctor's visits to real servers, as a person asks for them."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from attrs import define
from orderflow.adapters.sql import SqlStorage

from tests.support.commands import CommandLine, CommandResult
from tests.support.databases import migrated_database
from tests.support.kafka import KafkaBroker
from tests.support.postgres import PostgresServer

PRODUCTION_IS_SMALL = {"ORDERFLOW_TOPIC_REPLICATION": "1"}


@define
class Doctor:
    """``orderflow doctor`` with these settings."""

    database_url: str
    bootstrap_servers: str = ""
    topic: str = ""

    def line(self, **settings: str) -> CommandLine:
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers, "TOPIC": self.topic} if self.topic else {}
        more = {f"ORDERFLOW_{name}": value for name, value in {**kafka, **settings}.items()}
        return CommandLine(self.database_url, more)

    def __call__(self, *options: str, **settings: str) -> CommandResult:
        """Run it again if a busy Kafka did not return its clock in time."""
        for _ in range(5):
            answer = self.line(**settings)("--json", "doctor", *options)
            if "clock_kafka_unknown" not in answer.out:
                break
        return answer

    def findings(self, **settings: str) -> dict[str, str]:
        """Return the findings, by code."""
        answer = self(**settings)
        return {finding["code"]: finding["found"] for finding in answer.data["findings"]}

    def storage(self, work: Callable[[SqlStorage], Coroutine[Any, Any, None]]) -> None:
        """Do ``work`` on the database itself, open."""

        async def run() -> None:
            storage = SqlStorage.at(self.database_url)
            await storage.open()
            await work(storage)
            await storage.close()

        with ThreadPoolExecutor(max_workers=1) as thread:
            thread.submit(asyncio.run, run()).result()


@pytest.fixture(scope="session")
def well_database(postgres: PostgresServer) -> str:
    """A migrated database, to be left as it is."""
    return migrated_database(postgres)


@pytest.fixture
def own_database(postgres: PostgresServer) -> str:
    """A migrated database of the test's own, to be made ill."""
    return migrated_database(postgres)


@pytest.fixture
def kafka_doctor(well_database: str, kafka: KafkaBroker, topic_name: str) -> Doctor:
    """On the well database, and a topic that is not there yet."""
    return Doctor(well_database, kafka.bootstrap_servers, topic_name)
