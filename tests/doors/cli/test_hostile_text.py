"""Text from a request is shown as it is: no markup, no control of the terminal, no error, nothing cut."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from orderflow.domain.text import printable
from orderflow.entrypoints.cli import session as cli_session
from orderflow.entrypoints.cli.session import encode

from tests.doors.cli.test_every_command import LOOKING
from tests.support.commands import CommandLine, order_json

HOSTILE = {
    "markup": "[/x] [bold]b[/] [link=https://evil.example]l[/link] \\[",
    "controls": "a\x00\x07\x08\x0b\r\x7f\x85b",
    "ansi": "\x1b[2J\x1b]0;title\x07\x9b31m",
    "bidi": "\u202eevil\u202c \u2066x\u2069 \u200f \u061c",
    "surrogate": "a\ud800b\udcff",
    "wide": "Jalapeño 🌶️ 漢字 e\u0301",
    "long": "x" * 20_000,
    "many words": "word " * 400,
}
CHARACTERS = " ".join(HOSTILE[kind] for kind in ("markup", "controls", "ansi", "bidi", "surrogate", "wide"))
MOST = 1_000
"""Characters of a cell, and columns of a table, at most: rich needs ten times as long for ten times as many."""
LONG = f"{CHARACTERS} {'word ' * 100}{'x' * MOST}"
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def test_every_table_of_every_command_shows_hostile_text(
    lived_once: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_session, "MAX_CELL", MOST)
    monkeypatch.setattr(cli_session, "MAX_WIDTH", MOST)
    monkeypatch.setattr(cli_session, "cell_text", lambda cell, of=cli_session.cell_text: of(LONG))

    for arguments in LOOKING:
        answer = lived_once(*arguments)

        assert answer.code == 0, (arguments, answer.err[-2000:])
        assert not _UNSAFE.search(answer.out), arguments
        if "│" in answer.out:
            assert "[/x]" in answer.out, arguments


@pytest.mark.parametrize("kind", HOSTILE)
def test_json_carries_hostile_text_as_ascii_escapes_or_as_it_is(kind: str) -> None:
    text = HOSTILE[kind]

    document = json.loads(encode({text: [text]}))

    ((name, [value]),) = document.items()
    assert name == value
    assert value == (printable(text) if kind == "surrogate" else text)


@pytest.mark.parametrize("kind", ["markup", "controls", "ansi", "bidi", "wide", "long"])
def test_an_error_shows_hostile_text_without_obeying_it(lived_once: CommandLine, kind: str) -> None:
    for arguments in (["orders", "show"], ["stock", "set", "R7", "F1"], ["orders", "list", "--state"], ["fly"]):
        answer = lived_once(*arguments, HOSTILE[kind].replace("\x00", ""))

        assert answer.code in (2, 3), answer
        assert "Traceback" not in answer.err
        assert not _UNSAFE.search(answer.err), arguments


def test_an_id_between_colons_is_printed_as_it_is_and_not_as_a_picture(cli: CommandLine) -> None:
    made = cli("tokens", "make", "--role", "restaurant", "--id", "a:b")
    missing = cli("orders", "show", "1:fire:2")

    assert "the token of restaurant:a:b;" in made.err
    assert "'1:fire:2'" in missing.err


def test_an_argument_that_is_no_text_is_refused(lived_once: CommandLine) -> None:
    answer = lived_once("orders", "show", "\udcff")

    assert (answer.code, answer.out) == (2, "")
    assert "not valid text" in answer.err


def test_a_day_may_be_called_as_its_folder_is(cli: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "[bold]"
    cli.json("simulate", "generate", folder, "--orders", "1")

    answer = cli("simulate", "run", folder, "--prefix", "a-")

    assert answer.code == 0, answer
    assert "[bold]" in answer.out
    assert "[bold]" in answer.err


def test_identifiers_are_never_cut(cli: CommandLine) -> None:
    ids = {name: character * 64 for name, character in (("orderId", "o"), ("userId", "c"), ("restaurantId", "r"))}
    cli.json("orders", "create", "-", stdin=order_json(ids["orderId"], **ids))

    answer = cli("orders", "list")

    assert all(each in answer.out for each in ids.values())


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_stream_of_another_encoding_shows_what_it_can_after_the_order_was_placed(
    cli: CommandLine, encoding: str
) -> None:
    lines = [{"foodId": "[/x]", "foodName": "Jalapeño 🌶️", "price": 12.50, "quantity": 2}]
    environment = {"ORDERFLOW_DATABASE_URL": cli.database_url, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    program = [sys.executable, "-c", "from orderflow.entrypoints.cli import main; main()"]

    shown, as_json = (
        subprocess.run(
            [*program, *more, "orders", "create", "-"],
            input=order_json("[/x]", orderDetails=lines).encode(),
            capture_output=True,
            env=environment,
            check=False,
        )
        for more in ([], ["--json"])
    )

    assert (shown.returncode, as_json.returncode) == (0, 0), shown.stderr
    assert b"[/x]" in shown.stdout
    assert json.loads(as_json.stdout.decode(encoding))["orderDetails"][0]["foodName"] == "Jalapeño 🌶️"


@pytest.mark.parametrize(
    "arguments",
    [
        ["orders", "list", "--created-from", "TIME"],
        ["orders", "list", "--created-until", "TIME"],
        ["orders", "timeline", "small-o1", "--as-of", "TIME"],
        ["analytics", "minutes", "--start", "TIME"],
        ["analytics", "minutes", "--end", "TIME"],
        ["events", "replay", "--consumer", "analytics", "--dry-run", "--from", "TIME"],
        ["simulate", "run", "DAY", "--on", "DATE"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_at_the_end_of_the_calendar_is_answered_or_refused(
    lived: CommandLine, small_day: object, arguments: list[str], time: str
) -> None:
    given = {"TIME": time, "DATE": time[:10], "DAY": str(small_day)}
    prefix = ["--prefix", "again-"] if "simulate" in arguments else []

    answer = lived(*(given.get(each, each) for each in arguments), *prefix)

    assert answer.code in (0, 1, 2, 3), answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("quantity", ["²", "٣", "1_000", "9" * 5000, str(10**30), "-1", "1e3", ""])
def test_a_quantity_that_is_no_number_exits_2(cli: CommandLine, quantity: str) -> None:
    answer = cli("stock", "set", "R7", "F1", quantity)

    assert (answer.code, answer.out) == (2, "")
    assert "quantity" in answer.err.casefold() or "option" in answer.err.casefold()
