"""One noun a feature, the same noun on every floor, and docstrings that open with the thing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOUNS = sorted(folder.parent.name for folder in (ROOT / "src" / "application").glob("*/__init__.py"))
SUITES, CONSUMERS_SUITES = "src/testing", "src/testing/consumers"
"""Contracts, of the storage and of what consumers keep."""
FLOORS = {
    "src/adapters/sql": "{noun}.py",
    "src/adapters/memory": "{noun}.py",
    "src/entrypoints/cli": "{noun}.py",
    "tests/unit": "{noun}/__init__.py",
    SUITES: "{noun}.py",
    "docs": "{page}.md",
}
ELSEWHERE = {
    ("analytics", "tests/unit"): "src/testing/consumers/analytics.py",
    ("check", "src/adapters/memory"): "src/application/check/check_all.py",
    ("check", "src/adapters/sql"): "src/application/check/check_all.py",
    ("check", SUITES): "src/testing/order_audit.py",
    ("consuming", "src/adapters/memory"): "src/adapters/memory/consumer_store.py",
    ("consuming", "src/adapters/sql"): "src/adapters/sql/consumer_transaction.py",
    ("consuming", "src/entrypoints/cli"): "src/entrypoints/cli/run.py",
    ("consuming", SUITES): "src/testing/consumers/handle_batch.py",
    ("customers", "docs"): "docs/personal-data.md",
    ("customers", "tests/unit"): "src/testing/consumers/customers.py",
    ("event_log", "src/entrypoints/cli"): "src/entrypoints/cli/events.py",
    ("health", "src/entrypoints/cli"): "src/entrypoints/cli/status.py",
    ("health", SUITES): "src/testing/processes.py",
    ("inventory", "src/entrypoints/cli"): "src/entrypoints/cli/stock.py",
    ("inventory", "tests/unit"): "src/testing/consumers/inventory.py",
    ("maintenance", "src/adapters/memory"): "src/adapters/memory/maintenance_log.py",
    ("maintenance", "src/adapters/sql"): "src/adapters/sql/maintenance_log.py",
    ("maintenance", "tests/unit"): "src/testing/maintenance.py",
    ("recovery", "src/adapters/memory"): "src/adapters/memory/epochs.py",
    ("recovery", "src/adapters/sql"): "src/adapters/sql/epochs.py",
    ("recovery", SUITES): "src/testing/epochs.py",
    ("relay", "src/adapters/memory"): "src/adapters/memory/topic.py",
    ("relay", "src/adapters/sql"): "src/adapters/kafka/relay/relay_topic.py",
    ("relay", "src/entrypoints/cli"): "src/entrypoints/cli/run.py",
    ("relay", SUITES): "tests/integration/kafka/test_relay_topic.py",
    ("replay", "src/adapters/memory"): "src/adapters/memory/consumer_store.py",
    ("replay", "src/adapters/sql"): "src/adapters/sql/analytics_rebuild.py",
    ("replay", "tests/unit"): "src/testing/consumers/replay.py",
    ("streams", "src/entrypoints/cli"): "src/entrypoints/http/stream.py",
}
"""The floors on which a feature has another file: one that it shares, or whose technology has a better word."""
QUESTION = re.compile(r'^\s*"""(?:What|Whether|How|Who|Where)\b.*', re.MULTILINE)


def _expected() -> Iterator[tuple[str, str, Path]]:
    for noun in NOUNS:
        for floor, name in FLOORS.items():
            file = name.format(noun=noun, page=noun.replace("_", "-"))
            of_consumers = ROOT / CONSUMERS_SUITES / file
            yield noun, floor, of_consumers if floor == SUITES and of_consumers.exists() else ROOT / floor / file


@pytest.mark.parametrize("noun", NOUNS)
def test_a_feature_has_its_file_on_each_floor(noun: str) -> None:
    files = {floor: file for each, floor, file in _expected() if each == noun}

    missing = [floor for floor, file in files.items() if not file.exists() and (noun, floor) not in ELSEWHERE]

    assert missing == []


def test_each_exception_is_one_and_names_a_file() -> None:
    files = {(noun, floor): file for noun, floor, file in _expected()}

    unneeded = [key for key in ELSEWHERE if key not in files or files[key].exists()]
    gone = [file for file in ELSEWHERE.values() if not (ROOT / file).exists()]

    assert (unneeded, gone) == ([], [])


@pytest.mark.parametrize("noun", NOUNS)
def test_a_feature_is_a_noun_of_the_glossary(noun: str) -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

    assert f"`application/{noun}`" in glossary


def test_no_docstring_opens_with_a_question_word() -> None:
    folders = ("src", "tests", "bench", "deploy", "docs", "examples")
    texts = {file: file.read_text(encoding="utf-8") for name in folders for file in (ROOT / name).rglob("*.py")}

    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}" for file, text in texts.items() for line in QUESTION.findall(text)
    ]

    assert found == []
