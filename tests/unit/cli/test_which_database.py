"""A command says which database it uses, and only a command that writes something creates one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import CommandLine, order_json
from tests.support.every_command import PROCESSES, Command, arguments, commands

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


@pytest.mark.parametrize("command", sorted(set(commands()) - WITHOUT_DATABASE - PROCESSES), ids=" ".join)
def test_every_command_says_which_database_it_uses(cli: CommandLine, small_day: Path, command: Command) -> None:
    answer = cli("--json", *arguments(command, small_day.parent), stdin=order_json())

    assert f"database: {cli.database_url}\n" in answer.err, answer


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
