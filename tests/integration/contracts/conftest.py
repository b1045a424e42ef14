"""One event loop, and one open storage at each address, for all contracts of a storage."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.support.databases import migrated_database
from tests.support.kept_storages import KeptStorages
from tests.support.postgres import PostgresServer


@cache
def _storages() -> KeptStorages:
    return KeptStorages()


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of the storages, for all tests of this folder."""
    return {"kept": lambda: _storages().loop}


@pytest.fixture(scope="session")
def storages() -> Iterator[KeptStorages]:
    """The storages of all tests of this folder."""
    yield _storages()
    _storages().close()


@pytest.fixture(scope="session")
def contracts_postgresql(postgres: PostgresServer) -> str:
    """The address of a migrated PostgreSQL database, for :meth:`KeptStorages.emptied`."""
    return migrated_database(postgres)


@pytest.fixture(scope="session")
def contracts_sqlite(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a migrated SQLite file, for :meth:`KeptStorages.emptied`."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path_factory.mktemp('contracts'))}"
