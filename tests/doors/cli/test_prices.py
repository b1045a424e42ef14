"""``orderflow prices`` sets, lists, imports and removes; an import is whole or nothing."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from orderflow.domain.prices import MAX_PRICES

from tests.support.commands import CommandLine, order_json

HEADER = "itemId,name,price,currency,available,until\n"
FULL = "F1,Pizza,12.50,EUR,true,\n"


def listed(cli: CommandLine) -> list[dict[str, Any]]:
    prices: list[dict[str, Any]] = cli.json("prices", "list", "R7")["prices"]
    return prices


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> CommandLine:
    """Commands on a database with one price, for tests that change nothing."""
    cli = CommandLine(f"sqlite:///{shutil.copy(empty_database, tmp_path_factory.mktemp('priced'))}")
    cli.json("prices", "set", "R7", "F1", "--name", "Pizza", "--price", "12.50")
    return cli


def test_what_is_not_given_stays_as_it_is(cli: CommandLine) -> None:
    cli.json("prices", "set", "R7", "F1", "--name", "Pizza", "--price", "12.50", "--currency", "EUR")
    cli.json("prices", "set", "R7", "F1", "--available", "off", "--until", "2024-06-01T17:00:00+02:00")
    cli.json("prices", "set", "R7", "F1", "--price", "13.00")

    done = cli.json("prices", "set", "R7", "F1", "--name", "Pizza Margherita")

    assert (done["version"], done["changed"]) == (4, 1)
    assert listed(cli) == [
        {
            "itemId": "F1",
            "name": "Pizza Margherita",
            "price": 13.00,
            "currency": "EUR",
            "available": False,
            "until": "2024-06-01T15:00:00Z",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["set", "R7", "F9", "--price", "1"], 2),
        (["set", "R7", "F1", "--price", "-1"], 2),
        (["set", "R7", "F1", "--price", "1.234"], 2),
        (["set", "R7", "F1", "--price", "1e400"], 2),
        (["set", "R7", "F1", "--price", "NaN"], 2),
        (["set", "R7", "F1", "--price", "١٢"], 2),
        (["set", "R7", "F1", "--currency", "XXX"], 2),
        (["set", "R7", "F1", "--name", ""], 2),
        (["set", "R7", "F1", "--name", "x" * 201], 2),
        (["set", "R7", "F1", "--until", "2024-01-01"], 2),
        (["set", "R7", "F1", "--available", "maybe"], 2),
        (["set", "two words", "F1", "--price", "1"], 2),
        (["set", "R7", "F1", "--price", "1", "--version", "7"], 4),
        (["set", "R7", "F1", "--price", "1", "--version", "9" * 30], 4),
        (["set", "R7", "F1", "--price", "1", "--as", "restaurant:R8"], 4),
        (["list", "R7", "--as", "restaurant:R8"], 4),
        (["remove", "R7", "F9"], 3),
        (["import", "R7", "missing.csv"], 2),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else str(value),
)
def test_a_refused_command_ends_with_its_code_and_changes_nothing(
    priced: CommandLine, arguments: list[str], code: int
) -> None:
    answer = priced("prices", *arguments)

    assert (answer.code, "Traceback" in answer.err) == (code, False)
    assert [(price["itemId"], price["name"], price["price"]) for price in listed(priced)] == [("F1", "Pizza", 12.50)]


@pytest.mark.parametrize(
    "content",
    [
        HEADER + FULL,
        "\ufeff" + HEADER + FULL,
        (HEADER + FULL).replace("\n", "\r\n"),
        "\r\n" + HEADER + "\n\n" + FULL.rstrip(),
        'price,"name",itemId,currency\n12.50,"Pizza",F1,EUR\n',
        " itemId , name,price,currency\nF1,Pizza,12.50, EUR\n".replace(", name", ",name"),
        json.dumps([{"itemId": "F1", "name": "Pizza", "price": 12.5, "currency": "EUR"}]),
        "\ufeff" + json.dumps({"itemId": "F1", "name": "Pizza", "price": 12.5, "currency": "EUR"}) + "\n\n",
    ],
    ids=range(8),
)
def test_csv_and_json_are_imported_as_programs_write_them(cli: CommandLine, content: str) -> None:
    if content.startswith("\r\n"):
        content = content[2:]
    done = cli.json("prices", "import", "R7", "-", stdin=content)

    assert (done["added"], done["version"]) == (1, 1)
    assert [(it["itemId"], it["name"], it["price"], it["currency"]) for it in listed(cli)] == [
        ("F1", "Pizza", 12.5, "EUR")
    ]


def test_quotes_commas_and_every_script_stand_in_a_name(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "menu.csv"
    file.write_text(HEADER + 'F1,"Soup, ""today"" 🧅 الحساء",4.80,EUR,FALSE,2030-01-01T00:00:00Z\n', encoding="utf-8")

    cli.json("prices", "import", "R7", file)

    (price,) = listed(cli)
    assert price["name"] == 'Soup, "today" 🧅 الحساء'
    assert (price["available"], price["until"]) == (False, "2030-01-01T00:00:00Z")


BAD_LINES = HEADER + "\n".join(
    [
        "F1,Pizza,12.50,EUR,true,",
        "F2,Pizza,twelve,EUR,true,",
        "F3,Pizza,-1,EUR,true,",
        "F4,Pizza,1.005,EUR,true,",
        "F5,Pizza,1,XXX,true,",
        "F6,Pizza,1,EUR,perhaps,",
        "F7,Pizza,1,EUR,true,tomorrow",
        "F8,,1,EUR,true,",
        "F9,Pizza",
        "F 10,Pizza,1,EUR,true,",
        '"F11","two\nlines",1,EUR,true,',
        "F1,Pizza again,12.50,EUR,true,",
        "F12,Pizza,1e99999,EUR,true,",
        "F13,Nul\x00,1,EUR,true,",
        "F14," + "x" * 201 + ",1,EUR,true,",
    ]
)


def test_every_bad_line_is_named_and_nothing_is_imported(cli: CommandLine) -> None:
    as_json = cli("--json", "prices", "import", "R7", "-", stdin=BAD_LINES)
    as_text = cli("prices", "import", "R7", "-", stdin=BAD_LINES)

    assert (as_json.code, as_text.code) == (1, 1)
    lines = [each["line"] for each in as_json.data["refused"]]
    assert lines == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17]
    assert [int(line.split()[1].rstrip(":")) for line in as_text.err.splitlines() if line.startswith("line ")] == lines
    assert "nothing was imported" in as_text.err
    assert listed(cli) == []


def test_a_file_that_is_no_list_of_prices_is_refused_as_a_whole(cli: CommandLine) -> None:
    contents = [
        "",
        "\n\n",
        "itemId;name;price\nF1;Pizza;1\n",
        "itemId,name\nF1,Pizza\n",
        "itemId,name,price,price\nF1,Pizza,1,2\n",
        "itemId,name,price,colour\nF1,Pizza,1,red\n",
        HEADER + '"F1,Pizza,1\n',
        HEADER + 'F1,"Pi"zza,1,EUR,true,\n',
        HEADER + "F1," + "x" * 200_000 + ",1,EUR,true,\n",
        "x" * 1_000_001,
        HEADER + "".join(f"F{number},Pizza,1,EUR,true,\n" for number in range(MAX_PRICES + 1)),
        "[",
        '[{"itemId": "F1", "name": "Pizza", "price": 1}',
        "[] []",
    ]

    for content in contents:
        answer = cli("prices", "import", "R7", "-", stdin=content)
        assert answer.code in (1, 2), content[:40]
        assert "Traceback" not in answer.err
        assert len(answer.err) < 3_000

    assert listed(cli) == []


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('{"itemId": "F1", "name": "Pizza", "price": 1}\n{"itemId": "F2"}\nnothing\n', [2, 3]),
        ('[{"itemId": "F1", "name": "Pizza", "price": 1},\n\n{"itemId": "F1", "name": "Pizza", "price": 2}]', [3]),
        ("[" + "[" * 100_000 + "]" * 100_000 + "]", [1]),
        ('{"itemId": "F1", "name": "P\\u0000", "price": 1}', [1]),
        ('{"itemId": "F1", "name": "Pizza", "price": "1"}', [1]),
        ('{"itemId": "F1", "name": "Pizza", "price": 1, "price": 2}', [1]),
    ],
    ids=range(6),
)
def test_every_bad_document_is_named_by_its_line(cli: CommandLine, content: str, lines: list[int]) -> None:
    answer = cli("--json", "prices", "import", "R7", "-", stdin=content)

    assert (answer.code, [each["line"] for each in answer.data["refused"]]) == (1, lines)
    assert listed(cli) == []


def test_bytes_that_are_no_text_are_named_by_their_line(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "latin.csv"
    file.write_bytes((HEADER + FULL + "F2,Crème,1,EUR,true,\n").encode("latin-1"))

    answer = cli("prices", "import", "R7", file)

    assert (answer.code, "line 3: it is not UTF-8" in answer.err) == (2, True)


def test_an_import_replaces_the_list_or_leaves_the_others(cli: CommandLine) -> None:
    cli.json("prices", "import", "R7", "-", stdin=HEADER + FULL)
    more = HEADER + "F2,Soup,4.80,EUR,true,\n"

    merged = cli.json("prices", "import", "R7", "-", "--version", "1", stdin=more)
    instead = cli.json("prices", "import", "R7", "-", "--replace", stdin=more)
    late = cli("prices", "import", "R7", "-", "--replace", "--version", "1", stdin=HEADER + FULL)

    assert (merged["added"], merged["removed"]) == (1, 0)
    assert (instead["added"], instead["removed"], instead["version"]) == (0, 1, 3)
    assert (late.code, [it["itemId"] for it in listed(cli)]) == (4, ["F2"])


def test_orders_of_the_command_line_are_checked_too(cli: CommandLine) -> None:
    strict = CommandLine(cli.database_url, {"ORDERFLOW_PRICES": "list"})
    strict.json("prices", "import", "R7", "-", stdin=HEADER + "F1,Pizza,12.50,USD,true,\n")
    cheap = order_json("o2", orderDetails=[{"foodId": "F1", "foodName": "Pizza", "price": 0.01, "quantity": 2}])

    created = strict("orders", "create", "-", stdin=cheap)
    imported = strict("--json", "orders", "import", "-", stdin=cheap)

    assert (created.code, "it is 'Pizza' at 12.50 USD" in created.err) == (4, True)
    assert (imported.code, imported.data["refusals"][0]["code"]) == (1, "prices_refused")
    assert strict("orders", "create", "-", stdin=order_json("o1")).code == 0
