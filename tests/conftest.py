"""Real servers as fixtures. Each starts when a test first asks for it, and serves the whole session."""

import uuid
from collections.abc import Iterator

import pytest

from tests.support.kafka import KafkaBroker, find_kafka
from tests.support.postgres import PostgresServer, find_postgres
from tests.support.servers import obtain
from tests.support.smtp import SmtpServer


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's PostgreSQL; a test that stops it must start it again."""
    server = obtain(find_postgres)
    yield server
    server.close()


@pytest.fixture
def database_url(postgres: PostgresServer) -> str:
    """The address of an empty PostgreSQL database of the test's own."""
    return postgres.create_database()


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaBroker]:
    """The session's Kafka; ``with kafka.down():`` is how a test takes it away for a while."""
    broker = obtain(find_kafka)
    yield broker
    broker.close()


@pytest.fixture
def topic_name() -> str:
    """A topic name of the test's own; ``kafka.create_topic(topic_name)`` makes it."""
    return f"orders-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    """A mail server that keeps what it accepts."""
    with SmtpServer() as server:
        yield server
