"""Real servers as fixtures. Each starts when a test first asks for it, and serves the whole session."""

import uuid
from collections.abc import Iterator

import pytest

from tests.support.kafka import KafkaBroker, find_kafka
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PostgresServer, find_postgres
from tests.support.servers import obtain, started
from tests.support.smtp import SmtpServer

FIGURE = "figure"
"""The name of what a test adds to its ``user_properties`` to have it said at the end of the run."""


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
def pgbouncer(postgres: PostgresServer) -> Iterator[PgBouncer]:
    """The session's PgBouncer before its PostgreSQL, in transaction mode."""
    pooler = obtain(lambda: started(PgBouncer(postgres)))
    yield pooler
    pooler.close()


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures that tests have noted."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    ended = [report for report in reports if getattr(report, "when", "") == "call"]
    figures = [figure for report in ended for name, figure in report.user_properties if name == FIGURE]
    if figures:
        terminalreporter.section("what was tried")
        for figure in figures:
            terminalreporter.write_line(figure)
