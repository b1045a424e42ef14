"""docs/operating.md as a newcomer follows it: its files written, its commands typed into one shell, in its order."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.kafka import KafkaBroker
from tests.support.pages import TREE, Block, blocks
from tests.support.postgres import PostgresServer
from tests.support.servers import MissingServer, free_port, obtain

PAGE = TREE / "docs" / "operating.md"
PROGRAMS = ("bash", "psql", "curl", "prometheus", "promtool")
PORTS = ("8080", "9090", "9464", "9465", "9466", "9467", "9468")
ELSEWHERE = {
    "python3 -m venv orderflow-venv": "the tests run in an environment of their own",
    ". orderflow-venv/bin/activate": "likewise",
    'pip install --quiet "${SOURCE_TREE}[all]"': "tests/system/test_packaging.py installs the wheel",
}


def test_a_newcomer_comes_from_an_empty_folder_to_a_running_and_watched_installation(
    postgres: PostgresServer, kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    here = _addresses(postgres, kafka, topic_name)
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    for block in blocks(PAGE):
        lines += _lines(block, tmp_path, here)

    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )

    assert done.returncode == 0, _output(done, tmp_path)
    assert "first-order" in (tmp_path / "api.log").read_text()
    assert not any("cut off" in log.read_text() for log in tmp_path.glob("*.log"))


def _lines(block: Block, folder: Path, here: Mapping[str, str]) -> list[str]:
    """Return the lines to type from a block; write the file that it shows."""
    language, _, name = block.info.partition(" file=")
    if name:
        (folder / name).write_text(_as_here(block.body, here))
        return []
    if language != "console machine":
        return []
    assert block.commands, f"{block}: no line begins with '$ '"
    typed = [_patiently(_as_here(command, here)) for command in block.commands if command not in ELSEWHERE]
    return [f"echo {shlex.quote(f'{block}: $ {command}')} >&2\n{command}" for command in typed]


def _patiently(command: str) -> str:
    """Repeat a look at the installation while its backends do not answer in time, as on a busy machine."""
    looks = command.startswith(("orderflow status", "orderflow doctor"))
    return f"until {command}\ndo (($? == 5)); done" if looks else command


def _as_here(text: str, here: Mapping[str, str]) -> str:
    for said, meant in here.items():
        text = text.replace(said, meant)
    return text


def _addresses(postgres: PostgresServer, kafka: KafkaBroker, topic: str) -> dict[str, str]:
    """Map addresses, ports and names of the page to those of this test, which no other test uses."""
    name = topic.replace("-", "_")
    authority = postgres.url.rpartition("@")[2].partition("/")[0]
    return {
        "postgresql://postgres@localhost:5432/postgres": postgres.url,
        "@localhost:5432/orderflow": f"@{authority}/{name}",
        "//orderflow:": f"//{name}:",
        "ROLE orderflow ": f"ROLE {name} ",
        "DATABASE orderflow OWNER orderflow": f"DATABASE {name} OWNER {name}",
        "localhost:9092": kafka.bootstrap_servers,
        "TOPIC=order-events": f"TOPIC={topic}",
        **{port: str(free_port()) for port in PORTS},
    }


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORDERFLOW_", "PYTHONDONT"))}
    scripts = str(Path(sys.executable).parent)
    return kept | {"PATH": f"{scripts}{os.pathsep}{kept['PATH']}", "SOURCE_TREE": str(TREE)}


def _output(done: subprocess.CompletedProcess[str], folder: Path) -> str:
    logs = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(folder.glob("*.log")))
    return f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}\n{logs}"


@pytest.fixture(autouse=True)
def programs() -> None:
    obtain(_programs)


def _programs() -> None:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        remedy = "On Debian: apt-get install postgresql-client curl prometheus"
        raise MissingServer("machine to operate on", [f"no {program}" for program in missing], remedy)
