"""An installation is brought to the newest version while it takes orders, and nothing is lost on the way."""

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
FIRST_OF_THIS_VERSION = "0003"
"""The first migration that the previous version did not have: with a release, the next one's number."""


@pytest.fixture(scope="session")
def previous_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the ``orderflow`` of the commit before this version's first migration."""
    if _git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("the previous version's code takes the project's history, which is not here (a shallow clone?)")
    added = _git("log", "--diff-filter=A", "--format=%H", "--", f"{MIGRATIONS}/{FIRST_OF_THIS_VERSION}_*.py").split()
    folder = tmp_path_factory.mktemp("previous")
    code = subprocess.run(["git", "archive", f"{added[-1]}^", "src"], cwd=TREE, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=code, check=True)
    (folder / "orderflow").symlink_to("src", target_is_directory=True)
    installed = folder / "orderflow-0.1.0.dist-info"  # the name that the distribution had then
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: orderflow\nVersion: 0.1.0\n")
    return folder


def _git(*arguments: str) -> str:
    """What git answers about this tree; nothing where there is no git, or no repository."""
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


def test_processes_of_the_previous_version_go_on_while_and_after_the_schema_is_migrated(
    orderflow: Installation, previous_version: Path
) -> None:
    migrated = orderflow.start("db", "upgrade", code=previous_version).exit_code()
    old = orderflow.start("serve", code=previous_version)

    with load(old.url, clients=2) as placing:
        eventually(lambda: len(placing.acknowledged) > 20)
        before = orderflow.run("db", "current")
        orderflow.run("db", "upgrade")
        since = len(placing.acknowledged)
        eventually(lambda: len(placing.acknowledged) > since + 20)
        new = orderflow.start("serve")
        with load(new.url, clients=2, prefix="n") as placing_anew:
            eventually(lambda: len(placing_anew.acknowledged) > 20)
    ended = old.exit_code(signal.SIGTERM)
    checked = orderflow.run("check", "--wait", "60")

    assert migrated == 0
    assert before["schema"] < FIRST_OF_THIS_VERSION <= before["newest"]
    assert placing.broken == placing_anew.broken == []
    assert ended == 0
    assert "Traceback" not in old.said()
    assert checked["clean"]
    compared = {each["unit"]: each["compared"] for each in checked["report"]["comparisons"]}
    assert compared["orders"] == len(placing.acknowledged) + len(placing_anew.acknowledged)


def test_a_process_on_a_schema_of_the_previous_version_says_what_is_to_be_done(
    tmp_path: Path, database_url: str
) -> None:
    before = schema.known()[-2]
    migrated(database_url, to=before)

    with installation(Stack(tmp_path, database_url, "127.0.0.1:9", "orders")) as orderflow:
        process = orderflow.start("serve")

        assert process.exit_code() == 1
    newest = schema.newest()
    assert f"database schema is at {before}, newest is {newest}; run `orderflow db upgrade`" in process.said()
