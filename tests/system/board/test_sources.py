"""The modules of the board are checked as they are: their types, by TypeScript, and their style."""

from pathlib import Path

import pytest
from orderflow.entrypoints.http.board.pages import FILES

from tests.support.javascript import BIOME, TYPESCRIPT, lint_errors, type_errors
from tests.support.servers import obtain

CONFIGURATION = Path(__file__).parents[2] / "support" / "biome.json"


@pytest.fixture(scope="module")
def typescript() -> Path:
    return obtain(TYPESCRIPT.folder)


def test_every_type_fits(typescript: Path) -> None:
    assert type_errors(typescript, FILES) == ""


def test_a_type_that_does_not_fit_is_found(typescript: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.js").write_text('/** @type {number} */\nexport const wrong = "text";\n')

    assert "is not assignable to type 'number'" in type_errors(typescript, tmp_path)


def test_the_linter_finds_nothing() -> None:
    assert lint_errors(obtain(BIOME.folder), FILES, CONFIGURATION) == ""


def test_what_could_make_markup_of_a_text_is_not_used() -> None:
    risky = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "setHTML")

    used = [(file.name, word) for file in FILES.glob("*.js") for word in risky if word in file.read_text()]

    assert used == []
