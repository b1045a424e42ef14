"""Every snippet of the documentation runs, and what the pages say of the code is so."""

import json
import logging
import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog
from attrs import fields
from cyclopts import CycloptsError
from orderflow import InvalidInput, Settings, load_settings
from orderflow.adapters.kafka.settings import RESERVED
from orderflow.entrypoints.cli.main import app

from tests.support.commands import CommandLine
from tests.support.pages import (
    TREE,
    Block,
    ask_over_http,
    blocks,
    pages,
    run_orderflow,
    run_program,
    run_python,
    understand_orderflow,
)

ELSEWHERE = {
    "make demo": "CI, from a clean checkout",
    "make test": "CI, from a clean checkout: this test is part of it",
    "make system": "CI, which runs its tests with those of `make test`",
    "make lint": "part of `make test`",
    "make unit": "part of `make test`",
    "make lock": "by hand, as its outcome depends on what was released since",
    "make contract": "by hand; tests/unit/contract holds what it writes to the code",
    "make bench": "by hand, as its outcome is for reading",
    "make clean": "by hand",
    "pip install .": "tests/system/test_packaging.py runs orders from the wheel, without any extra",
    "pip install '.[http]'": "tests/system/test_packaging.py holds the extras to what is imported",
    "pip install '.[all]'": "tests/system/test_packaging.py holds the extras to what is imported",
    "pip install 'orderflow-service[testing]'": "tests/system/test_own_parts.py runs the suites",
    "orderflow serve --dev": "run until stopped, so not here; the requests below it are asked of the same application",
    "orderflow demo": "CI runs `make demo`, which is this",
}
"""Commands that are not run here, and where they are. Blocks ``console production`` are at least understood."""
ONLY_SHOWN = {"", "text", "mermaid", "{toctree}", "{eval-rst}", "{raw} html"}


@pytest.fixture(scope="module")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    file = tmp_path_factory.mktemp("new") / "orderflow.db"
    assert CommandLine(f"sqlite:///{file}")("db", "upgrade").code == 0
    return file


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_database: Path) -> Iterator[Path]:
    """A folder with a new database to be in, without settings in the environment; logging is as before afterwards."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(new_database, tmp_path)
    for name in [name for name in os.environ if name.startswith("ORDERFLOW_")]:
        monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield tmp_path
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "page", [page for page in pages() if any(blocks(page))], ids=lambda page: str(page.relative_to(TREE))
)
def test_every_block_of_the_page_runs(page: Path, reader: Path) -> None:
    names: dict[str, Any] = {}

    for block in blocks(page):
        _run(block, names, reader)


def _run(block: Block, names: dict[str, Any], folder: Path) -> None:
    match block.info.split():
        case [("csv" | "json" | "toml") as language, *file]:
            {"csv": list, "json": json.loads, "toml": tomllib.loads}[language](block.body)
            for name in file:
                written = folder / name.removeprefix("file=")
                written.write_text(block.body, encoding="utf-8")
                if language == "toml":
                    load_settings(written)
        case ["python"]:
            run_python(block, names)
        case ["python", file]:
            run_program(block, folder / file.removeprefix("file="))
        case ["console"]:
            for command in _not_elsewhere(block):
                assert command.startswith("orderflow "), f"{block}: {command!r} is in no table"
                run_orderflow(command)
        case ["java"]:  # the test of the example runs it
            examples = [each.read_text(encoding="utf-8") for each in TREE.glob("examples/*.java")]
            assert any(block.body in text for text in examples), f"{block}: stands in no example"
        case ["console", "http"]:
            ask_over_http(_not_elsewhere(block), folder)
        case ["console", "machine"] | [("sh" | "yaml"), _]:  # tests/system/test_operating.py types them
            assert block.page == "docs/operating.md", f"{block}: only that page is typed into a shell"
        case ["console", "production"]:
            for command in _not_elsewhere(block):
                if not command.startswith("export "):
                    understand_orderflow(command)
        case _:
            assert block.info in ONLY_SHOWN, f"{block}: no test knows how to run {block.info!r}"


def test_every_snippet_of_the_readme_is_a_whole_program() -> None:
    snippets = [block.info for block in blocks(TREE / "README.md") if block.info.startswith("python")]

    assert snippets
    assert [info for info in snippets if " file=" not in info] == []


def _not_elsewhere(block: Block) -> list[str]:
    assert block.commands, f"{block}: no line begins with '$ '"
    return [command for command in block.commands if command not in ELSEWHERE]


def _found(pattern: str) -> Iterator[tuple[Path, str]]:
    """Each page with each text in it that the pattern's group matches."""
    for page in pages():
        for text in re.findall(pattern, page.read_text(encoding="utf-8")):
            yield page, text


def test_every_link_of_a_page_leads_somewhere() -> None:
    links = [(page, *link.partition("#")) for page, link in _found(r"\]\(([^)\s]+)\)") if "://" not in link]

    missing = [
        (str(page.relative_to(TREE)), path + hash_ + anchor)
        for page, path, hash_, anchor in links
        if not (there := page.parent / path if path else page).exists() or (anchor and anchor not in _anchors(there))
    ]

    assert links
    assert missing == []


@cache
def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_file_that_a_page_names_is_there() -> None:
    named = list(_found(r"`((?:src|tests|docs|examples|bench|\.ci)/[\w./-]+)`"))

    assert named
    assert [(str(page.relative_to(TREE)), name) for page, name in named if not (TREE / name).exists()] == []


def test_the_settings_page_lists_every_setting_as_it_is() -> None:
    page = (TREE / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert _settings_table() in page, f"docs/configuration.md must show:\n\n{_settings_table()}"


def _settings_table() -> str:
    """The table of all settings, as Settings has them."""
    rows = ["| variable | by default | what is allowed |", "|---|---|---|"]
    for a in fields(Settings):
        if a.name == "kafka":
            continue  # a table of its own
        default = ",".join(a.default) if isinstance(a.default, tuple) else a.default
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        allowed = a.metadata["typed-settings"]["help"]
        rows.append(f"| `ORDERFLOW_{a.name.upper()}` | {f'`{shown}`' if shown else ''} | {allowed} |")
    return "\n".join(rows) + "\n"


def test_the_settings_page_lists_the_properties_that_are_refused() -> None:
    page = (TREE / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert ", ".join(f"`{name}`" for name in sorted(RESERVED)) in " ".join(page.split())


def test_the_page_of_commands_lists_every_command() -> None:
    page = (TREE / "docs" / "cli.md").read_text(encoding="utf-8")

    commands = [name for name in app if not name.startswith("-")]
    paths = [f"{name} {sub}" for name in commands for sub in app[name] if not sub.startswith("-")]
    alone = [name for name in commands if not any(path.startswith(f"{name} ") for path in paths)]

    assert [path for path in [*alone, *paths] if f"`orderflow {path}" not in page] == []


@pytest.mark.parametrize(
    ("info", "body", "failure"),
    [
        ("python", "assert await later()", NameError),
        ("python file=a.py", "import asyncio\nawait asyncio.sleep(0)", AssertionError),
        ("console", "$ orderflow orders show nobody", AssertionError),
        ("console", "$ orderflow check  # exits 1", AssertionError),
        ("console", "$ rm -rf nothing", AssertionError),
        ("console", "orderflow check", AssertionError),
        ("console http", "$ curl http://127.0.0.1:8080/v1/orders", AssertionError),
        ("console production", "$ orderflow relay --twice", CycloptsError),
        ("ruby", "puts 1", AssertionError),
        ("java", "int sequence = 1;", AssertionError),
        ("json", "{", json.JSONDecodeError),
        ("toml file=a.toml", "[orderflow]\ndatabase = 1", InvalidInput),
    ],
)
def test_a_block_that_does_not_run_is_found_out(info: str, body: str, failure: type[Exception], reader: Path) -> None:
    block = Block("page.md", 1, info, body)

    with pytest.raises(failure):
        _run(block, {}, reader)
