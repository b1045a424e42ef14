"""A standard stream that is closed, full or without a reader ends no command with a traceback."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.doors.cli.conftest import empty_database, lived_database, small_day
from tests.support.broken_streams import BREAKS
from tests.support.commands import CommandLine, order_json
from tests.support.every_command import PROCESSES, Command, arguments, commands
from tests.support.waiting import eventually

__all__ = ["empty_database", "lived_database", "small_day"]

Outcomes = dict[Command, dict[str, Any]]
PLACING = ("orders", "create")
DOCUMENTED = {0, 1, 2, 3, 4, 5, 141}
SILENT = {("relay",), ("topics", "create"), ("topics", "describe"), ("log", "repair"), ("log", "republish")}
"""Without Kafka they fail before they print anything."""
EVERY = 1 if os.environ.get("ORDERFLOW_TEST_FAULTS") == "large" else 4
"""Each command meets the first break, and one of the four others; `make sweep` tries all."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, lived_database: Path, small_day: Path) -> Path:
    """The input of each command: a database with order o1 and a contact, a day, and an order to create."""
    folder = tmp_path_factory.mktemp("streams")
    shutil.copy(lived_database, folder / "orderflow.db")
    shutil.copytree(small_day, folder / "small")
    cli = CommandLine(f"sqlite:///{folder}/orderflow.db")
    cli.json("orders", "create", "-", stdin=order_json())
    cli.json("contacts", "set", "customer:C1", "--email", "c1@example.org")
    (folder / "order.json").write_text(order_json("o2"))
    return folder


def asked(broken: str) -> list[Command]:
    every = list(commands())
    if broken == "closed stdin":
        return [c for c in every if "-" in arguments(c, Path())]
    if broken == BREAKS[0]:
        return every
    return [c for n, c in enumerate(every) if n % EVERY == BREAKS.index(broken) % EVERY or c == PLACING]


@pytest.fixture(scope="module")
def ended(folder: Path) -> Mapping[str, Outcomes]:
    """The ends of the commands, by what is broken. One process forks all, as imports take longer than commands."""
    cases = [(broken, command) for broken in (*BREAKS, "closed stdin") for command in asked(broken)]
    outcomes: dict[str, Outcomes] = {broken: {} for broken, _ in cases}
    ends = _run([_case(folder, command, broken) for broken, command in cases])
    for (broken, command), outcome in zip(cases, ends, strict=True):
        outcomes[broken][command] = outcome
    return outcomes


@pytest.mark.parametrize("broken", BREAKS)
def test_no_command_ends_with_a_traceback_when_a_stream_is_broken(ended: Mapping[str, Outcomes], broken: str) -> None:
    outcomes = ended[broken]

    assert not {c: o for c, o in outcomes.items() if o["code"] not in DOCUMENTED or "Traceback" in o["err"]}
    if broken in ("full stdout", "closed stdout", "reader gone"):
        printing = {c: o["code"] for c, o in outcomes.items() if c not in PROCESSES | SILENT}
        failed = 141 if broken == "reader gone" else 1
        assert {c for c, code in printing.items() if code != failed} <= {
            ("dead-letters", "show"),
            ("dead-letters", "drop"),
            ("log", "skip"),
            ("notifications", "show"),
            ("notifications", "resend"),
            ("notifications", "drop"),
            ("payments", "resolve"),
            ("tokens", "revoke"),
            ("tokens", "rotate"),
            ("customers", "erase"),
            ("orders", "refund"),
            ("payments", "repeat"),
            ("prices", "import"),
            ("prices", "remove"),
            *(("webhooks", name) for name in ("show", "test", "deliveries", "resend", "rotate", "replay")),
            *(("webhooks", name) for name in ("disable", "enable", "remove")),
            ("listen",),
        }, printing
    if broken == "full stderr":
        assert outcomes[PLACING]["code"] == 0


def test_a_command_that_reads_a_closed_standard_input_exits_2_and_says_so(ended: Mapping[str, Outcomes]) -> None:
    outcomes = ended["closed stdin"]

    assert len(outcomes) == 4
    assert all(o["code"] == 2 and "standard input is closed" in o["err"] for o in outcomes.values()), outcomes


@pytest.mark.parametrize("command", ["orders create", "orders import", "events validate"])
def test_ctrl_c_ends_a_command_that_reads_standard_input(folder: Path, command: str) -> None:
    program = [sys.executable, "-c", "from orderflow.entrypoints.cli import main; main()", *command.split(), "-"]
    environment = {**_environment(), "ORDERFLOW_DATABASE_URL": f"sqlite:///{folder}/orderflow.db"}
    with subprocess.Popen(program, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(b" " * 100_000)  # more than a pipe holds: it returns when the command reads
        process.stdin.flush()
        # A signal between two reads, when nothing blocks yet, is noticed at the next one, as a second Ctrl-C. One that
        # comes while the interpreter ends kills it, for which a shell shows 130, too.
        eventually(lambda: _interrupted(process), every=0.5, that="the command ends")
        code = process.wait(60)
        talk = process.stderr.read().decode()

    assert (code in (130, -signal.SIGINT), "Traceback" in talk) == (True, False), talk


def _interrupted(process: "subprocess.Popen[bytes]") -> bool:
    process.send_signal(signal.SIGINT)
    return process.poll() is not None


def _case(folder: Path, command: Command, broken: str) -> dict[str, object]:
    return {
        "arguments": arguments(command, Path()),
        "broken": broken,
        "folder": str(folder),
        "process": command in PROCESSES,
    }


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ORDERFLOW_")}


def _run(cases: list[dict[str, object]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.broken_streams"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        env=_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("columns", ["0", "1", "-5", "wide", "99999999"])
def test_a_help_page_is_printed_whatever_the_width_of_the_terminal_is_said_to_be(columns: str) -> None:
    command = [Path(sys.executable).with_name("orderflow"), "--help"]

    done = subprocess.run(
        command, check=False, env={**os.environ, "COLUMNS": columns}, capture_output=True, timeout=300
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"orderflow COMMAND" in done.stdout
