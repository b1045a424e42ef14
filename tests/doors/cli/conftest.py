"""A command line on a database of the test's own, empty or with a small day lived in it."""

import shutil
from pathlib import Path

import pytest

from tests.support.commands import CommandLine


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    file = tmp_path_factory.mktemp("empty") / "orderflow.db"
    assert CommandLine(f"sqlite:///{file}")("db", "upgrade").code == 0
    return file


@pytest.fixture(scope="session")
def small_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a generated day of ten orders."""
    folder = tmp_path_factory.mktemp("days") / "small"
    assert CommandLine("memory://")("simulate", "generate", folder, "--orders", "10", "--seed", "5").code == 0
    return folder


@pytest.fixture(scope="session")
def lived_database(tmp_path_factory: pytest.TempPathFactory, empty_database: Path, small_day: Path) -> Path:
    """A SQLite file in which the small day was lived, consumers included; to be read, or copied."""
    file = tmp_path_factory.mktemp("lived") / "orderflow.db"
    shutil.copy(empty_database, file)
    answer = CommandLine(f"sqlite:///{file}")("simulate", "run", small_day)
    assert answer.code == 0, answer
    return file


@pytest.fixture
def cli(tmp_path: Path, empty_database: Path) -> CommandLine:
    """Commands on an empty database."""
    file = tmp_path / "orderflow.db"
    shutil.copy(empty_database, file)
    return CommandLine(f"sqlite:///{file}")


@pytest.fixture
def lived(tmp_path: Path, lived_database: Path) -> CommandLine:
    """Commands on a copy of the lived day, which the test may damage."""
    file = tmp_path / "lived.db"
    shutil.copy(lived_database, file)
    return CommandLine(f"sqlite:///{file}")


@pytest.fixture(scope="session")
def lived_once(lived_database: Path) -> CommandLine:
    """Commands on the lived day itself, for tests that only look."""
    return CommandLine(f"sqlite:///{lived_database}")
