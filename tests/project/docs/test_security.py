"""docs/security.md names a test for each attacker and each line of OWASP's list, and each of these tests exists."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.pages import TREE

PAGE = (TREE / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ATTACKERS = re.findall(r"^### (An? .*|The embedding .*)$", PAGE, re.MULTILINE)
RISKS = re.findall(r"^\| (API\d+) (.*?) \|.*$", PAGE, re.MULTILINE)


def _section(title: str) -> str:
    return PAGE.partition(f"### {title}\n")[2].partition("\n##")[0]


def test_every_named_test_exists() -> None:
    named = NAMED.findall(PAGE)

    existing = {(file, test) for file in {file for file, _ in named} for test in _functions(file)}

    assert named
    assert set(named) - existing == set()


def _functions(file: str) -> Iterator[str]:
    for each in ast.walk(ast.parse((TREE / file).read_text(encoding="utf-8"))):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield each.name


def test_every_attacker_is_there() -> None:
    assert {
        "A caller without a token",
        "A customer",
        "A courier",
        "A restaurant",
        "An operator",
        "A writer on the topic",
        "A reader of a backup or of the topic",
        "A neighbour on the host",
        "A receiver of webhooks",
        "The embedding application",
    } <= set(ATTACKERS)


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_each_attacker_has_promises_tests_and_what_is_left(attacker: str) -> None:
    section = _section(attacker)

    assert "\n- " in section
    assert NAMED.search(section)
    assert "*Left to the operator:*" in section


def test_owasps_list_is_there_line_by_line_each_with_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| API")]

    assert [risk for risk, _ in RISKS] == [f"API{number}" for number in range(1, 11)]
    assert [row for row in rows if not NAMED.search(row)] == []


def test_no_test_is_named_in_a_form_that_is_not_checked() -> None:
    assert len(re.findall(r"tests/[\w/]+\.py::", PAGE)) == len(NAMED.findall(PAGE))
