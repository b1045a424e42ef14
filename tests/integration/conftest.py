"""Longer deadlines for tests on real servers, and an installation on SQLite and Kafka."""

import pytest
from orderflow.application.health.doctor import connections as reach
from orderflow.entrypoints.settings import Settings

from tests.support.here import Here
from tests.support.kafka import KafkaBroker


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that a busy machine keeps waiting is not what a test of the doctor is about."""
    monkeypatch.setattr(reach, "SLOW_SECONDS", 60.0)


@pytest.fixture
def here(kafka: KafkaBroker, topic_name: str, sqlite_url: str) -> Here:
    """An installation on SQLite and an empty topic with three partitions."""
    kafka.create_topic(topic_name)
    servers = kafka.bootstrap_servers
    return Here(
        Settings(database_url=sqlite_url, kafka_bootstrap_servers=servers, topic=topic_name, http_port=0, http_dev=True)
    )
