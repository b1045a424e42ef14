"""The Dockerfile: linted, and its own steps run without Docker."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.deployed import TREE, Instruction, dockerfile, hadolint, image_environment
from tests.support.servers import obtain
from tests.system.test_packaging import EVERY_MODULE

ENVIRONMENT = "/opt/orderflow"
PINNED = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def stage(number: int, *words: str) -> list[Instruction]:
    return [each for each in dockerfile()[number] if each.word in words]


def test_the_linter_finds_nothing() -> None:
    linted = subprocess.run([obtain(hadolint), str(TREE / "Dockerfile")], capture_output=True, text=True, check=False)

    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_linter_finds_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "Dockerfile"
    wrong.write_text("FROM python\nRUN pip install orderflow\n")

    linted = subprocess.run([obtain(hadolint), str(wrong)], capture_output=True, text=True, check=False)

    assert linted.returncode == 1
    assert "DL3006" in linted.stdout


def test_both_stages_are_one_release_of_python_that_is_named_exactly() -> None:
    assert len(dockerfile()) == 2

    bases = [stage(number, "FROM")[0].parts[0] for number in (0, 1)]
    python = stage(0, "ARG")[0].assignments["PYTHON"]

    assert bases == ["python:${PYTHON}"] * 2
    assert re.fullmatch(r"3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", python)
    assert python.startswith(f"3.{sys.version_info.minor}."), "the image has another Python than these tests"


def test_no_process_is_root_and_the_health_of_every_process_is_asked() -> None:
    last = {each.word: each for each in dockerfile()[-1]}

    uid, gid = last["USER"].text.split(":")
    assert int(uid) == int(gid) > 1000
    command = last["HEALTHCHECK"].text.partition("CMD ")[2]
    assert "/readyz" in command
    assert "ORDERFLOW_OPS_PORT" in command
    assert last["ENTRYPOINT"].parts == ["orderflow"]


def test_the_last_stage_builds_nothing_and_keeps_no_tools() -> None:
    commands = " ".join(each.text for each in stage(1, "RUN"))

    assert "pip uninstall --yes --root-user-action ignore setuptools wheel pip" in commands
    assert not re.search(r"apt-get|pip install|gcc", commands)
    assert [each.text for each in stage(1, "COPY")] == [f"--from=build {ENVIRONMENT} {ENVIRONMENT}"]


def test_what_is_copied_is_let_in_and_nothing_else() -> None:
    lines = (TREE / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}

    copied = {source for each in stage(0, "COPY") for source in each.parts[:-1]}

    assert lines[1] == "*"
    assert copied == let_in
    assert all((TREE / source).exists() for source in copied)


def test_the_image_gets_what_the_tests_have_without_what_only_they_need() -> None:
    locked = dict(PINNED.findall((TREE / "requirements.txt").read_text(encoding="utf-8")))
    image = dict(PINNED.findall((TREE / "deploy" / "requirements.txt").read_text(encoding="utf-8")))
    build = dict(PINNED.findall((TREE / "deploy" / "requirements-build.txt").read_text(encoding="utf-8")))

    assert image.items() <= locked.items(), "make lock"
    assert build.items() <= locked.items(), "make lock"
    assert not image.keys() & {"pytest", "mypy", "ruff", "hypothesis", "testcontainers", "setuptools", "pip", "uv"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that stands for /, in which the first stage was run step by step."""
    root = tmp_path_factory.mktemp("image")
    here = root
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PIP_NO_COMPILE": "1"}  # which is as useless here as --compile-bytecode
    environment.pop("PYTHONPATH", None)
    (root / "opt").mkdir()
    for step in dockerfile()[0]:
        if step.word == "WORKDIR":
            here = root / step.text.removeprefix("/")
            here.mkdir(parents=True, exist_ok=True)
        elif step.word == "COPY":
            *sources, target = step.parts
            for source in sources:
                copy(TREE / source, here / target / Path(source).name if target == "./" else here / target)
        elif step.word == "RUN":
            # Neither option changes what is installed: the one fetches all again, the other compiles unused files.
            command = re.sub(r"--no-cache|--compile-bytecode", "", step.text)
            command = re.sub(r"(?<![\w/])/opt/", f"{root}/opt/", command)
            run(["/bin/sh", "-ec", command], here, environment)
    return root


def copy(source: Path, target: Path) -> None:
    """As .dockerignore lets it in."""
    ignored = [line.removeprefix("**/") for line in (TREE / ".dockerignore").read_text().splitlines() if "**/" in line]
    if source.is_dir():
        shutil.copytree(
            source, target, ignore=lambda _, names: [n for n in names if any(fnmatch(n, i) for i in ignored)]
        )
    else:
        shutil.copy(source, target)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def modules(root: Path) -> Iterator[str]:
    (packages,) = (root / "opt" / "orderflow" / "lib").glob("python3.*/site-packages")
    for entry in packages.iterdir():
        yield entry.name.partition("-")[0].lower()


def test_its_steps_make_an_environment_with_every_module_and_without_tools(built: Path, tmp_path: Path) -> None:
    programs = built / "opt" / "orderflow" / "bin"
    environment = {name: value for name, value in image_environment().items() if name != "PATH"}
    compiling = environment | {"PYTHONDONTWRITEBYTECODE": ""}  # as --compile-bytecode has done in the image

    run([str(programs / "python"), "-c", EVERY_MODULE, str(built)], tmp_path, compiling)
    said = run([str(programs / "orderflow"), "--version"], tmp_path, environment)
    settings = run([str(programs / "orderflow"), "--json", "config"], tmp_path, environment)

    assert said.strip() == "0.1.0"
    assert '"ops_port":9464' in settings
    assert not set(modules(built)) & {"pip", "setuptools", "wheel", "pytest", "mypy", "ruff", "uv", "hypothesis"}
