"""An installation is upgraded across a generation of the schema, and nothing is lost."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from orderflow.adapters.sql import schema

from tests.support.databases import migrated
from tests.support.installation import Installation, installation
from tests.support.kafka import KafkaBroker
from tests.support.load import load
from tests.support.stack import Stack
from tests.support.waiting import eventually

TREE = Path(__file__).parents[2]
MIGRATIONS = "src/adapters/sql/migrations/versions"
PREVIOUS_SCHEMA = "0010"
"""The schema of the previous version, the last of its generation; the commit that added it is that version."""


@pytest.fixture(scope="session")
def previous_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the ``orderflow`` of the commit that added PREVIOUS_SCHEMA."""
    if _git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("the previous version's code takes the project's history, which is not here (a shallow clone?)")
    added = _git("log", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/{PREVIOUS_SCHEMA}_*.py").split()
    folder = tmp_path_factory.mktemp("previous")
    code = subprocess.run(["git", "archive", added[-1], "src"], cwd=TREE, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=code, check=True)
    (folder / "orderflow").symlink_to("src", target_is_directory=True)
    installed = folder / "orderflow-0.1.0.dist-info"  # the name that the distribution had then
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: orderflow\nVersion: 0.1.0\n")
    return folder


def _git(*arguments: str) -> str:
    """Return git's output about this tree; nothing without git, or without a repository."""
    try:
        return subprocess.run(["git", *arguments], cwd=TREE, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""


@pytest.fixture
def orderflow(tmp_path: Path, database_url: str, kafka: KafkaBroker, topic_name: str) -> Iterator[Installation]:
    """An installation on an empty PostgreSQL database and Kafka, its topic made."""
    with installation(Stack(tmp_path, database_url, kafka.bootstrap_servers, topic_name)) as here:
        here.run("topics", "create")
        yield here


def test_the_previous_version_is_stopped_the_database_migrated_and_the_new_version_continues(
    orderflow: Installation, previous_version: Path, tmp_path: Path
) -> None:
    prepared = [
        orderflow.start(*command, code=previous_version).exit_code()
        for command in (("db", "upgrade"), ("simulate", str(tmp_path / "day"), "--orders", "20"))
    ]
    old = [orderflow.start(*command, code=previous_version) for command in (("relay",), ("consume", "analytics"))]
    for process in old:
        process.line("started")

    # Notifications and inventory have a backlog, which the new version handles.
    orderflow.start("replay", str(tmp_path / "day"), "--wait", "0", code=previous_version).exit_code()
    ended = [process.exit_code(signal.SIGTERM) for process in old]
    before = orderflow.run("db", "current")
    orderflow.run("db", "upgrade")
    restarted = orderflow.start("relay", code=previous_version)
    refused = restarted.exit_code()
    new = orderflow.start("serve")
    with load(new.url, clients=2, prefix="n") as placing:
        eventually(lambda: len(placing.acknowledged) > 20)
    checked = orderflow.run("check", "--wait", "60")

    assert (prepared, ended, refused) == ([0, 0], [0, 0], 1)
    assert (before["schema"], before["newest"]) == (PREVIOUS_SCHEMA, schema.newest())
    assert placing.broken == []
    assert f"database schema is at {schema.newest()}, newest known is {PREVIOUS_SCHEMA}" in restarted.said()
    assert "install the newer orderflow" in restarted.said()
    assert checked["clean"]
    compared = {each["unit"]: each["compared"] for each in checked["report"]["comparisons"]}
    assert compared["orders"] == 20 + len(placing.acknowledged)


def test_each_part_refuses_the_schema_of_the_previous_version_and_names_the_command(
    tmp_path: Path, database_url: str
) -> None:
    before, newest = schema.known()[-2], schema.newest()
    migrated(database_url, to=before)

    command_line = Stack(tmp_path, database_url, "127.0.0.1:9", "orders").command_line
    parts = [command_line(*part) for part in (("serve", "--dev"), ("relay",), ("consume", "analytics"))]

    assert [part.code for part in parts] == [1, 1, 1]
    for part in parts:
        assert f"database schema is at {before}, newest is {newest}; run `orderflow db upgrade`" in part.err
