"""The modules of the board are checked as they are: their types, by TypeScript, and their style."""

import shutil
from pathlib import Path

from orderflow.entrypoints.http.board.pages import FILES

from tests.support.javascript import BIOME, TYPESCRIPT, lint_errors, type_errors
from tests.support.servers import obtain

CONFIGURATION = Path(__file__).parents[2] / "support" / "biome.json"


def test_every_type_fits_and_one_that_does_not_is_found(tmp_path: Path) -> None:
    shutil.copytree(FILES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "wrong.js").write_text('/** @type {number} */\nexport const wrong = "text";\n')

    [error] = type_errors(obtain(TYPESCRIPT.folder), tmp_path).splitlines()

    assert "wrong.js" in error
    assert "is not assignable to type 'number'" in error


def test_the_linter_finds_nothing() -> None:
    assert lint_errors(obtain(BIOME.folder), FILES, CONFIGURATION) == ""


def test_what_could_make_markup_of_a_text_is_not_used() -> None:
    risky = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "setHTML")

    used = [(file.name, word) for file in FILES.glob("*.js") for word in risky if word in file.read_text()]

    assert used == []
