"""Every command answers as a table, and with --json as one document; data goes to standard output and talk does not."""

import json
from importlib import import_module

import pytest
from cyclopts import App
from orderflow.entrypoints.cli.main import COMMANDS

from tests.support.commands import CommandLine

LOOKING = [
    ["status", "--interval", "0"],
    ["doctor"],
    ["lag"],
    ["lag", "--wait", "1"],
    ["check"],
    ["config"],
    ["db", "current"],
    ["orders", "list"],
    ["orders", "show", "small-o1"],
    ["orders", "timeline", "small-o1"],
    ["orders", "verify", "small-o1"],
    ["contacts", "list"],
    ["stock", "list"],
    ["prices", "list", "R7"],
    ["notifications", "list"],
    ["notifications", "list", "--status", "sent"],
    ["notifications", "show", "small-o1"],
    ["payments", "list"],
    ["payments", "list", "--order", "small-o1"],
    ["dead-letters", "list"],
    ["dead-letters", "unrecognized"],
    ["dead-letters", "history"],
    ["dead-letters", "redrive", "--all", "--dry-run"],
    ["rollout", "status"],
    ["rollout", "history"],
    ["log", "epochs"],
    ["maintenance"],
    ["events", "replay", "--consumer", "analytics", "--from", "0", "--dry-run"],
    ["analytics", "minutes", "--start", "2024-01-01T00:00:00Z", "--end", "2024-01-02T00:00:00Z"],
    ["analytics", "restaurants"],
    ["analytics", "states"],
    ["analytics", "cancellations"],
    ["analytics", "deliveries"],
]
CHANGING = [
    ["db", "upgrade"],
    ["contacts", "set", "customer:C1", "--email", "c1@example.org"],
    ["payments", "settle"],
    ["stock", "set", "R7", "F1", "10"],
    ["prices", "set", "R7", "F1", "--name", "Pizza", "--price", "12.50", "--until", "2024-01-01", "--available", "off"],
    ["stock", "set", "R7", "F1", "unlimited"],
    ["tokens", "make", "--role", "admin", "--id", "A1"],
    ["dead-letters", "redrive", "analytics", "--by", "ann", "--reason", "it is fixed"],
    ["events", "replay", "--consumer", "inventory", "--from", "0", "--by", "ann", "--reason", "a reservation was lost"],
    ["rebuild", "analytics"],
    ["rollout", "set", "10", "--by", "ann", "--reason", "phase two"],
    ["rollout", "pause", "analytics", "--by", "ann", "--reason", "phase three"],
    ["rollout", "resume", "analytics", "--by", "ann", "--reason", "phase three"],
]


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_a_command_that_looks_answers_in_json_and_as_a_table(lived_once: CommandLine, arguments: list[str]) -> None:
    as_json = lived_once("--json", *arguments)
    as_table = lived_once(*arguments)

    assert (as_json.code, as_table.code) == (0, 0), (as_json, as_table)
    assert as_json.out.count("\n") == 1
    assert isinstance(as_json.data, dict | list)
    assert as_table.out.strip()
    with pytest.raises(json.JSONDecodeError):
        json.loads(as_table.out)


@pytest.mark.parametrize("arguments", CHANGING, ids=" ".join)
def test_a_command_that_changes_answers_in_json_and_as_a_table(cli: CommandLine, arguments: list[str]) -> None:
    as_json = cli("--json", *arguments)
    as_table = cli(*arguments)

    assert (as_json.code, as_table.code) == (0, 0), (as_json, as_table)
    assert isinstance(as_json.data, dict | list)
    assert as_table.out.strip()


@pytest.mark.parametrize("arguments", [["orders", "show", "small-o1"], ["analytics", "deliveries"]], ids=" ".join)
def test_json_may_be_asked_for_after_the_command_as_well(lived_once: CommandLine, arguments: list[str]) -> None:
    first, last = lived_once("--json", *arguments), lived_once(*arguments, "--json")

    assert first == last


def test_a_summary_in_the_list_of_commands_opens_the_command_s_own_help() -> None:
    for group in COMMANDS.values():
        for path, (name, summary) in group.items():
            module, attribute = path.split(":")
            command = getattr(import_module(f"orderflow.entrypoints.cli.{module}"), attribute)
            if not isinstance(command, App):
                assert command.__doc__.startswith(summary.rstrip(".")), name


def test_help_and_version_are_answers_not_errors(cli: CommandLine) -> None:
    asked = [cli("--help"), cli("orders", "--help"), cli("orders", "create", "--help"), cli("--version"), cli()]

    assert [answer.code for answer in asked] == [0] * 5
    assert all(answer.out for answer in asked)


def test_stock_that_was_set_is_listed_and_unlimited_is_not_counted(cli: CommandLine) -> None:
    cli.json("stock", "set", "R7", "F1", "10")
    cli.json("stock", "set", "R7", "F2", "3")
    cli.json("stock", "set", "R8", "F1", "5")

    cli.json("stock", "set", "R7", "F2", "unlimited")

    assert cli.json("stock", "list", "R7") == [{"restaurantId": "R7", "foodId": "F1", "quantity": 10}]
    assert len(cli.json("stock", "list")) == 2


def test_a_contact_that_was_set_is_shown_and_forgotten_without_an_address(cli: CommandLine) -> None:
    cli.json("contacts", "set", "customer:C1", "--email", "c1@example.org")
    shown = cli.json("contacts", "show", "customer:C1")

    cli.json("contacts", "set", "customer:C1")

    assert shown == {"party": "customer:C1", "email": "c1@example.org"}
    assert cli("contacts", "show", "customer:C1").code == 3
    assert cli.json("contacts", "list") == []
