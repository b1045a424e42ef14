"""Whatever the arguments are, a command ends with a documented exit code and without a traceback."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from orderflow.entrypoints.cli.main import app

from tests.support.commands import CommandLine, order_json
from tests.support.every_command import PROCESSES, Command, arguments, commands

DOCUMENTED = {0, 1, 2, 3, 4, 5}
FUZZED = sorted(set(commands()) - PROCESSES - {("demo",)})
"""Without the commands that run until they are stopped, and the demo, whose arguments are `simulate generate`'s."""
ENDLESS = {"--watch", "--follow"}
EXAMPLES = 5

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=70) | st.sampled_from(
    [
        "[/x]",
        "\udcff",
        "\x1b[31m",
        "\u202e",
        "²",
        "٣",
        "-",
        "--",
        "--json",
        "''",
        "x" * 5000,
        "%s",
        "{0}",
        "../..",
        "NaN",
    ]
)
NUMBERS = st.integers() | st.sampled_from([10**30, -(10**30), 2**63, 2**31]) | st.floats(allow_subnormal=False)
TIMES = st.datetimes(timezones=st.timezones() | st.none()).map(str) | st.sampled_from(
    ["0001-01-01", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2024-W01-1", "24:00", "20240101T000000Z"]
)
_KNOWN = """small-o1 customer:C1 admin:A1 shipper:S1 analytics preparing on_the_way delivered cancelled topic 0 1 255:1
order:small-o1 unlimited paid log restaurant rollout bash max true"""
KNOWN = st.sampled_from(_KNOWN.split())
VALUES = TEXTS | NUMBERS.map(str) | TIMES | KNOWN
SHORT = st.sampled_from(["0", "0.1", "-1", "nan", "inf", "-inf", "1e-320", "1e400", "²", "x", ""])
"""For options that set a wait, because a long wait on request is right."""
ONLY: dict[str, st.SearchStrategy[str]] = {
    **dict.fromkeys(("--wait", "--interval", "--for", "--every", "--late", "--future"), SHORT),
    "--speed": st.sampled_from(["max", "1e300", "0", "-1", "nan", "inf", "x"]),
    "--rate": st.sampled_from(["1e9", "0", "-1", "nan", "inf", "x", "1e-320"]),
    "--orders": st.sampled_from(["1", "3", "0", "-1", str(10**18), "nan", "²"]),
    "--url": st.sampled_from(
        ["", "x", "http://", "http://127.0.0.1:1", "http://[", "http://127.0.0.1:99999", "ftp://a"]
    ),
    "--workers": st.sampled_from(["1", "2", "0", "-1", str(10**30), "x"]),
}
PLACES = {"FOLDER", "FILE", "--metrics"}
FILES = st.sampled_from(["PLACE", "PLACE/none/none", "PLACE/orders.txt", "-", "", "PLACE/" + "x" * 300])


@st.composite
def command_lines(draw: st.DrawFn, command: Command) -> list[str]:
    """Arguments for every positional parameter, and for some of the options, in any order."""
    asked: list[str] = []
    options: list[list[str]] = []
    for argument in _app(command).assemble_argument_collection():
        name = argument.names[0]
        value = ONLY.get(name, FILES if name in PLACES else VALUES)
        if name in ENDLESS:
            options += [["--no-follow"]] if name == "--follow" else []
        elif argument.field_info.kind is inspect.Parameter.POSITIONAL_ONLY:
            if argument.required or draw(st.booleans()):
                asked.append(draw(value))
        elif argument.required or draw(st.booleans()):
            flag = draw(st.sampled_from(argument.names))
            options.append([flag] if argument.hint is bool else [flag, draw(value)])
    return [*command, *asked, *(each for option in draw(st.permutations(options)) for each in option)]


@pytest.mark.parametrize("command", FUZZED, ids=" ".join)
def test_any_arguments_end_in_a_documented_exit_code(
    lived: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.chdir(tmp_path)  # a file or folder may be any, also the one that the command is in

    @given(st.data())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ends(data: st.DataObject) -> None:
        asked = [each.replace("PLACE", str(tmp_path / "place")) for each in data.draw(command_lines(command))]
        _ends_as_documented(lived, asked, data.draw(st.sampled_from(["", order_json(), "[", "\x00", "1" * 5000])))

    ends()


@pytest.mark.parametrize("command", FUZZED, ids=" ".join)
def test_a_command_without_its_arguments_or_with_too_many_exits_2(
    lived_once: CommandLine, tmp_path: Path, command: Command
) -> None:
    right = arguments(command, tmp_path)

    answer = lived_once(*right, *["more"] * 5, "--there-is-no-such-option")

    assert (answer.code, answer.out) == (2, ""), answer


def _ends_as_documented(cli: CommandLine, asked: list[str], stdin: str) -> None:
    answer = cli(*asked, stdin=stdin)

    assert answer.code in DOCUMENTED, (asked, answer)
    assert "Traceback" not in answer.err, (asked, answer.err)
    assert "orderflow failed" not in answer.err, (asked, answer.err)


def _app(command: Command) -> App:
    found: Any = app
    for name in command:
        found = found[name]
    return found
