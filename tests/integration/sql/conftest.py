"""Migrated databases, made once a session."""

from pathlib import Path

import pytest

from tests.support.databases import migrated
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the newest schema and nothing in it; to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "orders.db"
    migrated(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_url(postgres: PostgresServer) -> str:
    """A PostgreSQL database with the newest schema, which tests use in turn."""
    return migrated(postgres.create_database())


@pytest.fixture
def commits() -> list[None]:
    """Grows when the test's storage tells of a commit."""
    return []
