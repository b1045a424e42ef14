"""A command line says which database it uses, and has an audit line if it changes something.

A command of an order has the line of its use-case.
"""

import json
import shutil
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
from orderflow.entrypoints.cli.main import UNAUDITED, command_of

from tests.doors.cli.test_which_database import WITHOUT_DATABASE
from tests.support.commands import CommandLine, CommandResult, order_json
from tests.support.every_command import PROCESSES, Command, arguments, commands


def audit_lines(said: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    return [line for line in lines if line["logger"] == "orderflow.audit"]


@pytest.fixture
def talking(cli: CommandLine) -> CommandLine:
    return CommandLine(cli.database_url, {"ORDERFLOW_LOG_LEVEL": "info"})


def test_every_command_is_audited_or_known_to_change_nothing() -> None:
    every = set(commands())

    assert every >= UNAUDITED
    assert {it for it in every if command_of((*it, "--option", "value")) in UNAUDITED} == UNAUDITED
    assert command_of(("orders",)) == command_of(("--help",)) == command_of(()) == ()


def test_a_command_of_an_order_names_its_actor(talking: CommandLine) -> None:
    created = talking("orders", "create", "-", stdin=order_json())
    refused = talking("orders", "assign", "o1", "S1", "--as", "customer:C9")

    [done], [not_found] = audit_lines(created.err), audit_lines(refused.err)
    assert (done["door"], done["actor"], done["action"], done["outcome"]) == (
        "cli",
        "admin:operator",
        "create_order",
        "ok",
    )
    assert (not_found["actor"], not_found["outcome"], not_found["order_id"]) == ("customer:C9", "order_not_found", "o1")


def test_other_commands_say_what_and_about_whom_but_no_other_argument(talking: CommandLine) -> None:
    secret = talking.json("tokens", "make", "--role", "shipper", "--id", "S9", "--label", "planted")["token"]
    known = talking.json("tokens", "list")[0]["id"]
    answers = [
        talking("contacts", "set", "customer:C1", "--email", "planted@example.org"),
        talking("tokens", "make", "--role", "customer", "--id", "C1", "--label", "planted"),
        talking("tokens", "revoke", "planted"),
        talking("tokens", "revoke", secret),
        talking("customers", "erase", "C1", "--by", "planted", "--reason", "planted"),
        talking("rollout", "pause", "inventory", "--by", "planted", "--reason", "planted"),
        talking("payments", "resolve", "O1", "--by", "planted", "--reason", "planted"),
        talking("contacts", "list"),
    ]

    lines = [line for answer in answers for line in audit_lines(answer.err)]
    assert [(it["action"], it["outcome"], it.get("subject", ""), it.get("order_id", "")) for it in lines] == [
        ("contacts set", "ok", "customer:C1", ""),
        ("tokens make", "ok", "customer:C1", ""),
        ("tokens revoke", "not_found", "", ""),
        ("tokens revoke", "ok", f"token:{known}", ""),
        ("customers erase", "ok", "customer:C1", ""),
        ("rollout pause", "ok", "consumer:inventory", ""),
        ("payments resolve", "order_not_found", "", "O1"),
    ]
    assert "planted" not in repr(lines)
    assert secret not in repr(answers)
    assert len({it["correlation_id"] for it in lines} - {""}) == len(lines)


@pytest.mark.parametrize(
    ("asked", "action"),
    [
        (("orders", "show", "o1"), "orders show"),
        (("orders", "timeline", "o1"), "orders timeline"),
        (("prices", "list", "R7"), "prices list"),
        (("prices", "set", "R7", "F1", "--available", "off"), "set_price"),
    ],
)
def test_a_refusal_of_an_actor_has_a_line_on_every_command(
    talking: CommandLine, asked: tuple[str, ...], action: str
) -> None:
    talking("orders", "create", "-", stdin=order_json())

    refused = talking(*asked, "--as", "restaurant:R9")

    [line] = audit_lines(refused.err)
    assert (line["actor"], line["action"]) == ("restaurant:R9", action)
    assert line["outcome"] in ("order_not_found", "prices_not_permitted")


def test_every_line_says_which_user_of_the_machine_it_was(talking: CommandLine) -> None:
    answers = [
        talking("orders", "create", "-", stdin=order_json()),
        talking("prices", "set", "R7", "F1", "--name", "Pizza", "--price", "1"),
        talking("stock", "set", "R7", "F1", "1"),
    ]

    assert [line["origin"] for answer in answers for line in audit_lines(answer.err)] == [getuser()] * 3


BY_USE_CASE = {("orders", name) for name in ("create", "transition", "assign", "cancel", "pay", "refund")} | {
    ("prices", name) for name in ("set", "remove", "import")
}
"""Commands whose use-case writes the line, with its own name."""
OTHERWISE = {("orders", "import"): 11}
"""Commands that ask for more than one thing: each order of a file has a line, and the file another."""


@pytest.fixture(scope="module", params=sorted(set(commands()) - PROCESSES), ids=" ".join)
def run(
    request: pytest.FixtureRequest, lived_database: Path, small_day: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Command, CommandLine, CommandResult]:
    """Each command, run on a copy of the lived day while only errors are logged."""
    command, folder = request.param, tmp_path_factory.mktemp("run")
    (folder / "small").symlink_to(small_day)
    file = shutil.copy(lived_database, folder / "lived.db")
    quiet = CommandLine(f"sqlite:///{file}", {"ORDERFLOW_LOG_LEVEL": "error"})
    given = {
        ("orders", "create"): order_json("planted"),
        ("orders", "import"): "\n".join(map(order_json, "abcdefghij")),
        ("prices", "import"): "itemId,name,price\nF1,Pizza,12.50\n",
    }
    return command, quiet, quiet(*arguments(command, folder), stdin=given.get(command, ""))


def test_each_command_has_one_line_whatever_the_level_is(run: tuple[Command, CommandLine, CommandResult]) -> None:
    command, _, answer = run
    lines = [line for line in audit_lines(answer.err) if line["door"] == "cli"]
    expected = OTHERWISE.get(command, int(command in BY_USE_CASE or command not in UNAUDITED))
    assert len(lines) == expected, answer
    if command not in BY_USE_CASE and lines:
        assert lines[-1]["action"] == " ".join(command)
        assert (lines[-1]["outcome"] == "ok") == (answer.code == 0)
    assert "@" not in repr(lines)


def test_every_command_says_which_database_it_uses(run: tuple[Command, CommandLine, CommandResult]) -> None:
    command, cli, answer = run

    assert (f"database: {cli.database_url}\n" in answer.err) is (command not in WITHOUT_DATABASE), answer
