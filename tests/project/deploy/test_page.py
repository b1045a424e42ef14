"""The page about deployment names files and commands that are there."""

import re
import shlex

import pytest
from orderflow.entrypoints.cli.main import app

from tests.support.deployed import DEPLOY, TREE, compose, units

PAGE = (DEPLOY.parent / "docs" / "deployment.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^ *((?:docker|kubectl|systemctl|install|cp|/opt|useradd).*?)(?: +#.*)?$", PAGE, re.MULTILINE)
MADE_BY_THE_READER = {"deploy/.env"}


def test_every_file_of_deploy_that_it_names_is_there() -> None:
    named = set(re.findall(r"(?<![\w/])deploy/[\w./-]*\w", PAGE)) - MADE_BY_THE_READER

    assert len(named) > 8
    assert [name for name in sorted(named) if not (TREE / name).exists()] == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"docker run .* orderflow:\S+ (.+)",
        r"kubectl exec .* -- orderflow (.+)",
        r"docker compose .* run --rm relay (.+)",
    ],
)
def test_what_it_asks_of_the_program_exists(pattern: str) -> None:
    asked = [found[1] for command in COMMANDS if (found := re.search(pattern, command))]

    assert asked
    for command in asked:
        app.parse_args(shlex.split(command), exit_on_error=False, print_error=False)


def test_what_it_asks_of_others_is_in_their_files() -> None:
    services = {found[1] for command in COMMANDS if (found := re.search(r"compose .* logs (\w+)$", command))}
    enabled = {part for command in COMMANDS if "systemctl enable" in command for part in command.split()[3:]}

    assert services <= compose()["services"].keys()
    assert {f"{name.partition('@')[0]}{'@' if '@' in name else ''}.service" for name in enabled} == units().keys() - {
        "orderflow-migrate.service"
    }
