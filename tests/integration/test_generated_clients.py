"""Clients that are generated from the OpenAPI document are typed, and take an order to the door."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import CommandLine
from tests.support.installation import installation
from tests.support.published import npm_project
from tests.support.servers import obtain
from tests.support.stack import Stack

TREE = Path(__file__).parents[2]
CONTRACT = TREE / "docs" / "contract" / "openapi.json"
TYPESCRIPT = TREE / "tests" / "support" / "typescript"
LIFE = ["order.created", "order.shipper_assigned", *["order.state_changed"] * 3]
ENDED = ["order.payment_processed", "order.delivered"]


def done(command: list[str | Path], folder: Path, **environment: str) -> str:
    """Return the output of a command that must succeed."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout[-4000:]} {ended.stderr[-4000:]}"
    return ended.stdout + ended.stderr


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a running service, and the token of an admin."""
    token = str(CommandLine(sqlite_url).json("tokens", "make", "--role", "admin", "--id", "me")["token"])
    with installation(Stack(tmp_path, sqlite_url, "", "orders")) as orderflow:
        yield orderflow.start("serve", HTTP_DEV="false").url, token


def test_a_typescript_client_is_compiled_and_takes_an_order_to_the_door(
    service: tuple[str, str], tmp_path: Path
) -> None:
    project = obtain(lambda: npm_project(TYPESCRIPT))
    programs = project / "node_modules" / ".bin"
    folder = tmp_path / "typescript"
    folder.mkdir()
    (folder / "node_modules").symlink_to(project / "node_modules")
    for file in (project / "package.json", TYPESCRIPT / "tsconfig.json", TREE / "examples" / "typescript_client.ts"):
        shutil.copy(file, folder)

    done([programs / "openapi-typescript", CONTRACT, "-o", "orderflow.ts"], folder)
    done([programs / "tsc"], folder)
    printed = done(["node", "built/typescript_client.js", *service], folder).splitlines()

    assert printed[:3] == [
        "waiting_for_shipper: 28 EUR",
        "409: illegal_transition, allowed: preparing, cancelled",
        " ".join([*LIFE, *ENDED]),
    ]
    assert re.fullmatch(r"7: order.delivered at \S+Z", printed[3])


def test_a_mistake_in_typescript_is_found_when_it_is_compiled(tmp_path: Path) -> None:
    project = obtain(lambda: npm_project(TYPESCRIPT))
    (tmp_path / "node_modules").symlink_to(project / "node_modules")
    for file in (project / "package.json", TYPESCRIPT / "tsconfig.json"):
        shutil.copy(file, tmp_path)
    right = (TREE / "examples" / "typescript_client.ts").read_text(encoding="utf-8")
    mistakes = {'paymentMethod: "cash"': 'paymentMethod: "shells"', "placed.state": "placed.status"}
    for number, (good, bad) in enumerate(mistakes.items()):
        assert good in right
        (tmp_path / f"wrong{number}.ts").write_text(right.replace(good, bad), encoding="utf-8")
    programs = project / "node_modules" / ".bin"
    done([programs / "openapi-typescript", CONTRACT, "-o", "orderflow.ts"], tmp_path)

    compiled = subprocess.run(
        [programs / "tsc"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )

    wrong = re.findall(r"^(wrong\d)\.ts.*error (TS\d+)", compiled.stdout, flags=re.MULTILINE)
    assert wrong == [("wrong0", "TS2322"), ("wrong1", "TS2339")], compiled.stdout


def test_a_python_client_is_checked_and_takes_an_order_to_the_door(service: tuple[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "python"
    folder.mkdir()
    settings = 'content_type_overrides: {"application/x-ndjson": "application/octet-stream"}\n'
    (folder / "settings.yaml").write_text(settings, encoding="utf-8")
    checks = "[mypy]\nstrict = True\n[mypy-orderflow_client.client]\ndisable_error_code = arg-type\n"
    (folder / "mypy.ini").write_text(checks, encoding="utf-8")  # of the generator's own part, the same for all clients
    shutil.copy(TREE / "examples" / "python_client.py", folder)
    programs = Path(sys.executable).parent
    asked = ["--path", CONTRACT, "--meta", "none", "--output-path", "orderflow_client", "--config", "settings.yaml"]
    path = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}

    done([programs / "openapi-python-client", "generate", *asked, "--fail-on-warning"], folder, **path)
    done([sys.executable, "-m", "mypy", f"--cache-dir={tmp_path}/cache", "python_client.py"], folder)
    printed = done([sys.executable, "python_client.py", *service], folder).splitlines()

    assert printed[:2] == [
        "waiting_for_shipper: 28 EUR",
        "409: illegal_transition, allowed: ['preparing', 'cancelled']",
    ]
    assert [line.split()[1] for line in printed[2:]] == [*LIFE, *ENDED]


def test_no_schema_is_without_a_name_that_generators_would_invent(tmp_path: Path) -> None:
    """The names of generated models are those of the document."""
    folder = tmp_path / "orderflow_client"
    programs = Path(sys.executable).parent
    asked = ["--path", CONTRACT, "--meta", "none", "--output-path", folder]
    done([programs / "openapi-python-client", "generate", *asked], tmp_path)

    exported = (folder / "models" / "__init__.py").read_text(encoding="utf-8")
    generated = set(re.findall(r"^from \.\w+ import (\w+)", exported, flags=re.MULTILINE))

    schemas = set(json.loads(CONTRACT.read_text(encoding="utf-8"))["components"]["schemas"])
    assert generated == schemas
