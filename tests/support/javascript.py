"""The tools that check the board's modules: TypeScript's compiler and a linter, fetched once from npm."""

import subprocess
from pathlib import Path

from tests.support.published import NpmPackage
from tests.support.servers import program

TYPESCRIPT = NpmPackage(
    "typescript",
    "5.9.3",
    "jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw==",
)
BIOME = NpmPackage(
    "@biomejs/cli-linux-x64",
    "2.6.8",
    "XIk3pLQT56I6Tti+u0DF8FtSNXjCMTPbxVTzfJ9cS2t1ImVKvrqV5b52GuEaJg6/wuiXvz0sjfb5saB4TPRjzA==",
)


def type_errors(typescript: Path, files: Path) -> str:
    """Return TypeScript's errors in these modules, empty if there is none.

    :raises MissingServer: without Node.js.
    """
    strict = (
        "--checkJs",
        "--allowJs",
        "--strict",
        "--noEmit",
        "--noUncheckedIndexedAccess",
        "--noFallthroughCasesInSwitch",
    )
    kind = (
        "--target",
        "es2022",
        "--module",
        "es2022",
        "--moduleResolution",
        "bundler",
        "--lib",
        "es2023,dom,dom.iterable,dom.asynciterable",
    )
    command = [
        program("node", remedy="Install nodejs"),
        str(typescript / "lib" / "tsc.js"),
        *strict,
        *kind,
        *map(str, sorted(files.glob("*.js"))),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return done.stdout + done.stderr


def lint_errors(biome: Path, files: Path, configuration: Path) -> str:
    """Return the errors of linter and formatter in these modules and style sheets, empty if there is none."""
    program = biome / "biome"
    program.chmod(0o755)
    command = [
        str(program),
        "lint",
        "--error-on-warnings",
        "--colors=off",
        f"--config-path={configuration}",
        str(files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr
