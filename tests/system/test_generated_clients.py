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

from tests.support.installation import installation
from tests.support.published import npm_project
from tests.support.servers import obtain
from tests.support.stack import Stack

TREE = Path(__file__).parents[2]
CONTRACT = TREE / "docs" / "contract" / "openapi.json"
TYPESCRIPT = TREE / "tests" / "support" / "typescript"
PROGRAMS = Path(sys.executable).parent
KNOWN_TYPES = TREE / ".mypy_cache" / "client"
"""A cache of what mypy has read of the libraries of a client, for the next run."""
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


@pytest.fixture(scope="module")
def service(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a running service, and the token of an admin."""
    folder = tmp_path_factory.mktemp("service")
    stack = Stack(folder, f"sqlite:///{shutil.copy(migrated_file, folder)}", "", "orders")
    with installation(stack) as orderflow:
        token = str(orderflow.run("tokens", "make", "--role", "admin", "--id", "me")["token"])
        yield orderflow.start("serve", "--no-consumers", HTTP_DEV="false").url, token


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with the generated types, the example and two wrong copies of it; what compiling all of them printed."""
    project = obtain(lambda: npm_project(TYPESCRIPT))
    programs = project / "node_modules" / ".bin"
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(project / "node_modules")
    example = TREE / "examples" / "typescript_client.ts"
    for file in (project / "package.json", TYPESCRIPT / "tsconfig.json", example):
        shutil.copy(file, folder)
    right = example.read_text(encoding="utf-8")
    mistakes = {'paymentMethod: "cash"': 'paymentMethod: "shells"', "placed.state": "placed.status"}
    for number, (good, bad) in enumerate(mistakes.items()):
        assert good in right
        (folder / f"wrong{number}.ts").write_text(right.replace(good, bad), encoding="utf-8")

    done([programs / "openapi-typescript", CONTRACT, "-o", "orderflow.ts"], folder)
    compiled = subprocess.run([programs / "tsc"], cwd=folder, capture_output=True, text=True, check=False, timeout=300)

    return folder, compiled.stdout + compiled.stderr


def test_a_typescript_client_takes_an_order_to_the_door(service: tuple[str, str], typescript: tuple[Path, str]) -> None:
    folder, _ = typescript

    printed = done(["node", "built/typescript_client.js", *service], folder).splitlines()

    assert printed[:3] == [
        "waiting_for_shipper: 28 EUR",
        "409: illegal_transition, allowed: preparing, cancelled",
        " ".join([*LIFE, *ENDED]),
    ]
    assert re.fullmatch(r"7: order.delivered at \S+Z", printed[3])


def test_compiling_typescript_finds_the_mistakes_and_nothing_else(typescript: tuple[Path, str]) -> None:
    _, compiled = typescript

    found = re.findall(r"^(\S+?)\(.*error (TS\d+)", compiled, flags=re.MULTILINE)

    assert found == [("wrong0.ts", "TS2322"), ("wrong1.ts", "TS2339")], compiled
    assert compiled.count("error TS") == 2, compiled


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated package."""
    folder = tmp_path_factory.mktemp("python")
    settings = 'content_type_overrides: {"application/x-ndjson": "application/octet-stream"}\n'
    (folder / "settings.yaml").write_text(settings, encoding="utf-8")
    asked = ["--path", CONTRACT, "--meta", "none", "--output-path", "orderflow_client", "--config", "settings.yaml"]
    path = {"PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"}
    done([PROGRAMS / "openapi-python-client", "generate", *asked, "--fail-on-warning"], folder, **path)
    return folder


def test_a_python_client_is_checked_and_takes_an_order_to_the_door(service: tuple[str, str], python: Path) -> None:
    checks = "[mypy]\nstrict = True\n[mypy-orderflow_client.client]\ndisable_error_code = arg-type\n"
    (python / "mypy.ini").write_text(checks, encoding="utf-8")  # of the generator's own part, the same for all clients
    shutil.copy(TREE / "examples" / "python_client.py", python)

    done([sys.executable, "-m", "mypy", f"--cache-dir={KNOWN_TYPES}", "python_client.py"], python)
    printed = done([sys.executable, "python_client.py", *service], python).splitlines()

    assert printed[:2] == [
        "waiting_for_shipper: 28 EUR",
        "409: illegal_transition, allowed: ['preparing', 'cancelled']",
    ]
    assert [line.split()[1] for line in printed[2:]] == [*LIFE, *ENDED]


def test_no_schema_is_without_a_name_that_generators_would_invent(python: Path) -> None:
    """The names of generated models are those of the document."""
    exported = (python / "orderflow_client" / "models" / "__init__.py").read_text(encoding="utf-8")
    generated = set(re.findall(r"^from \.\w+ import (\w+)", exported, flags=re.MULTILINE))

    schemas = set(json.loads(CONTRACT.read_text(encoding="utf-8"))["components"]["schemas"])
    assert generated == schemas
