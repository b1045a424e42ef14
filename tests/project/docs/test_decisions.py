"""The index of the decision records lists each of them, and each has a title, a date, a status, sections, a check."""

import re
from datetime import date

from tests.support.pages import TREE

DECISIONS = TREE / "docs" / "decisions"
TEXTS = {record.name: record.read_text(encoding="utf-8") for record in sorted(DECISIONS.glob("0*.md"))}
SECTIONS = ["Decision", "Why", "Alternatives considered", "Cost", "Checked by"]
HEAD = re.compile(r"# (?P<number>\d+)\. (?P<title>.+)\n\n- Date: (?P<date>.+)\n- Status: (?P<status>.+)\n")


def test_the_index_lists_every_record_with_its_title_date_and_status() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")

    rows = [line for line in index.splitlines() if re.match(r"\| \d", line)]

    assert TEXTS
    assert rows == [_row(name) for name in TEXTS]


def test_a_record_has_its_number_a_date_and_a_known_status() -> None:
    for name in TEXTS:
        head = _head(name)
        assert int(head["number"]) == int(name[:4]), name
        assert date.fromisoformat(head["date"]), name
        assert re.match(r"accepted\b|superseded by \[", head["status"]), name


def test_a_record_has_its_sections_in_order() -> None:
    sections = {
        name: [section.rstrip(".") for section in re.findall(r"^\*\*(.+?)\*\*", text, flags=re.MULTILINE)]
        for name, text in TEXTS.items()
    }

    assert sections == dict.fromkeys(TEXTS, SECTIONS)


def test_a_record_names_the_check_that_enforces_it() -> None:
    check = re.compile(r"`((?:tests|src/testing)/[\w/.-]+|pyproject\.toml|\.ci/run)`")

    assert [name for name, text in TEXTS.items() if not check.search(text.partition("**Checked by**")[2])] == []


def test_no_record_is_longer_than_a_page() -> None:
    assert [name for name, text in TEXTS.items() if len(text.splitlines()) >= 60] == []


def _row(name: str) -> str:
    head = _head(name)
    return f"| {head['number']} | [{head['title']}]({name}) | {head['date']} | {head['status']} |"


def _head(name: str) -> re.Match[str]:
    head = HEAD.match(TEXTS[name])
    assert head, f"{name} must start with its title, then its date and status"
    return head
