"""Real servers as fixtures. Each starts when a test first asks for it, and serves the whole session."""

import gc
import shutil
import signal
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.support.databases import emptied, migrated, migrated_database
from tests.support.kafka import KafkaBroker, KafkaOfTheRun, find_kafka, kafka_of_the_run
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PostgresServer, find_postgres
from tests.support.servers import obtain, started
from tests.support.smtp import SmtpServer

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")  # how long an example takes is the machine's doing

# Whom to trust is read once, and not for each client: it takes 30 ms of the processor, ten times as long as a request.
httpx._transports.default.create_ssl_context = cache(httpx.create_ssl_context)

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


@pytest.fixture
def migrated_url(postgres: PostgresServer) -> str:
    """The address of a PostgreSQL database of the test's own, with the newest schema."""
    return migrated_database(postgres)


@pytest.fixture(scope="session")
def shared_url(postgres: PostgresServer) -> str:
    return migrated_database(postgres)


@pytest.fixture
def postgresql_url(shared_url: str) -> str:
    """A migrated PostgreSQL database, empty, and the test's own while it runs; its schema stays as it is."""
    return emptied(shared_url)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema and nothing in it; to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "orders.db"
    migrated(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A SQLite file of the test's own."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path)}"


@pytest.fixture(scope="session")
def pgbouncer(postgres: PostgresServer) -> Iterator[PgBouncer]:
    """The session's PgBouncer before its PostgreSQL, in transaction mode."""
    pooler = obtain(lambda: started(PgBouncer(postgres)))
    yield pooler
    pooler.close()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[KafkaBroker]:
    """The Kafka of the whole run, which no test may stop, or change but for what has a name of the test's own."""
    broker = obtain(lambda: kafka_of_the_run(request.session))
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def own_kafka() -> Iterator[KafkaBroker]:
    """A Kafka of the module's own; ``with own_kafka.down():`` is how a test takes it away for a while."""
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


def pytest_configure(config: pytest.Config) -> None:
    """Children may be interrupted, also when a script runs the tests in its background, where SIGINT is ignored."""
    if config.getoption("numprocesses", None):
        config.pluginmanager.register(KafkaOfTheRun())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect without garbage collection: of what is made here, nearly all stays until the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Exclude modules and tests, which stay until the end, from garbage collection: that saves a fifth of the time."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures that tests have noted."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    ended = [report for report in reports if getattr(report, "when", "") == "call"]
    figures = [figure for report in ended for name, figure in report.user_properties if name == FIGURE]
    if figures:
        terminalreporter.section("what was tried")
        for figure in figures:
            terminalreporter.write_line(figure)
