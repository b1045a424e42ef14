"""The index of the decision records lists each of them, and each has a title, a date, a status and its sections."""

import re
from datetime import date
from pathlib import Path

import pytest

from tests.support.pages import TREE

DECISIONS = TREE / "docs" / "decisions"
RECORDS = sorted(DECISIONS.glob("0*.md"))
SECTIONS = ["Decision", "Why", "Alternatives considered", "Cost", "Checked by"]
HEAD = re.compile(r"# (?P<number>\d+)\. (?P<title>.+)\n\n- Date: (?P<date>.+)\n- Status: (?P<status>.+)\n")


def test_the_index_lists_every_record_with_its_title_date_and_status() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")

    rows = [line for line in index.splitlines() if re.match(r"\| \d", line)]

    assert rows == [_row(record) for record in RECORDS]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_has_its_number_a_date_and_a_known_status(record: Path) -> None:
    head = _head(record)

    assert int(head["number"]) == int(record.name[:4])
    assert date.fromisoformat(head["date"])
    assert re.match(r"accepted\b|superseded by \[", head["status"])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_record_has_its_sections_in_order(record: Path) -> None:
    text = record.read_text(encoding="utf-8")

    sections = [name.rstrip(".") for name in re.findall(r"^\*\*(.+?)\*\*", text, flags=re.MULTILINE)]

    assert sections == SECTIONS


def _row(record: Path) -> str:
    head = _head(record)
    return f"| {head['number']} | [{head['title']}]({record.name}) | {head['date']} | {head['status']} |"


def _head(record: Path) -> re.Match[str]:
    head = HEAD.match(record.read_text(encoding="utf-8"))
    assert head, f"{record.name} must start with its title, then its date and status"
    return head
