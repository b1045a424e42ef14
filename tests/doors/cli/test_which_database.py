"""Only a command that writes something creates a database, and none touches that of another application."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.commands import CommandLine, order_json
from tests.support.every_command import Command, arguments, commands

CREATING = {
    ("orders", "create"),
    ("orders", "import"),
    ("contacts", "set"),
    ("stock", "set"),
    ("prices", "set"),
    ("prices", "import"),
    ("db", "upgrade"),
    ("simulate", "run"),
    ("serve",),
}
WITHOUT_DATABASE = {
    ("config",),
    ("completion",),
    ("contract", "asyncapi"),
    ("contract", "openapi"),
    ("topics", "create"),
    ("topics", "describe"),
    ("simulate", "generate"),
    ("events", "validate"),
    ("demo",),
}


@pytest.mark.parametrize("command", sorted(set(commands()) - CREATING - WITHOUT_DATABASE), ids=" ".join)
def test_no_other_command_creates_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.chdir(tmp_path)
    forgotten = CommandLine("sqlite:///orderflow.db")

    answer = forgotten(*arguments(command, tmp_path))

    assert (answer.code, answer.out) == (1, ""), answer
    assert "there is no database at sqlite:///orderflow.db" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "table"),
    [
        (("orders", "list"), "users (id)"),
        (("orders", "list"), "alembic_version (version_num)"),
        (("orders", "create"), "users (id)"),
        (("db", "current"), "users (id)"),
        (("doctor",), "users (id)"),
        (("serve",), "users (id)"),
        (("simulate", "run"), "users (id)"),
    ],
)
def test_a_command_leaves_the_database_of_another_application_alone(
    tmp_path: Path, small_day: Path, command: Command, table: str
) -> None:
    file = _foreign(tmp_path, table)
    before = file.read_bytes()

    answer = CommandLine(f"sqlite:///{file}")(*arguments(command, small_day.parent), stdin=order_json())

    assert (answer.code, answer.out) == (1, ""), answer
    assert "is the database of another application; set ORDERFLOW_DATABASE_URL" in answer.err
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (before, [file])


def test_tables_are_added_to_the_database_of_another_application_on_request_unless_their_names_are_taken(
    tmp_path: Path,
) -> None:
    answers = {}
    for table in ("users (id)", "reservations (id)", "alembic_version (version_num)"):
        folder = tmp_path / table
        folder.mkdir()
        answers[table] = CommandLine(f"sqlite:///{_foreign(folder, table)}")("db", "upgrade")

    assert [answer.code for answer in answers.values()] == [0, 1, 1]
    assert "table reservations already exists; give orderflow a database of its own" in answers["reservations (id)"].err
    assert "alembic_version is another application's: it is at 'abc'" in answers["alembic_version (version_num)"].err


def _foreign(folder: Path, table: str) -> Path:
    """A SQLite file with that table, and one row in it."""
    file = folder / "shop.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"CREATE TABLE {table}")
        connection.execute(f"INSERT INTO {table.partition(' ')[0]} VALUES ('abc')")
    return file


@pytest.mark.parametrize("command", [("orders", "list"), ("db", "upgrade"), ("simulate", "run")], ids=" ".join)
@pytest.mark.parametrize(
    ("place", "code", "problem"),
    [
        ("folder", 1, "is a folder or a device"),
        ("pipe", 1, "is a folder or a device"),
        ("long" * 80, 5, "File name too long"),
        ("loop", 5, "Too many levels of symbolic links"),
    ],
    ids=lambda value: str(value)[:8],
)
def test_a_command_says_why_no_database_can_be_at_a_place(
    tmp_path: Path, small_day: Path, command: Command, place: str, code: int, problem: str
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    unusable = CommandLine(f"sqlite:///{tmp_path / place}")

    answer = unusable(*arguments(command, small_day.parent))

    assert answer.code == code, answer
    assert problem in answer.err
    assert "Traceback" not in answer.err


def test_a_command_without_a_working_directory_says_so(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = (
        f"import os, sys; os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\n"
        "sys.argv = ['orderflow', 'orders', 'list']\n"
        "from orderflow.entrypoints.cli import main; main()"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "working directory: it is gone" in done.stderr
    assert "Traceback" not in done.stderr
