"""The units, verified by systemd itself."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.deployed import DEPLOY, PROGRAM, units
from tests.support.servers import obtain, program

FOLDER = DEPLOY / "systemd"


@pytest.fixture
def analyze() -> str:
    return obtain(lambda: program("systemd-analyze", remedy="Debian's package systemd has it"))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as on a machine, with a program that is there on this one, and one instance of each template."""
    for name in units():
        text = (FOLDER / name).read_text(encoding="utf-8").replace(PROGRAM, shutil.which("true") or "/bin/true")
        (tmp_path / name.replace("@.", "@analytics.")).write_text(text, encoding="utf-8")
    for dropped in FOLDER.glob("*.service.d"):
        shutil.copytree(dropped, tmp_path / dropped.name)
    return tmp_path


def verified(analyze: str, folder: Path) -> subprocess.CompletedProcess[str]:
    files = sorted(str(file) for file in folder.glob("*.service"))
    return subprocess.run([analyze, "verify", "--man=no", *files], capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_wrong(analyze: str, installed: Path) -> None:
    done = verified(analyze, installed)

    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_finds_what_is_wrong(analyze: str, installed: Path) -> None:
    relay = installed / "orderflow-relay.service"
    relay.write_text(relay.read_text().replace("TimeoutStopSec=30", "TimeoutStopSec=soon\nProtectWorld=yes"))

    done = verified(analyze, installed)

    assert "Failed to parse time value" in done.stderr
    assert "ProtectWorld" in done.stderr


def test_every_unit_is_exposed_to_little(analyze: str, installed: Path) -> None:
    for file in sorted(installed.glob("*.service")):
        done = subprocess.run(
            [analyze, "security", "--offline=true", str(file)], capture_output=True, text=True, check=False
        )
        (level,) = re.findall(r"Overall exposure level for \S+: (\d+\.\d+)", done.stdout)
        assert float(level) < 2, f"{file.name} is at {level}"


def test_processes_start_again_and_wait_for_the_schema_without_resting_on_it() -> None:
    for name, unit in units().items():
        if name == "orderflow-migrate.service":
            assert unit["Service"]["Type"] == "oneshot"
            continue
        assert unit["Service"]["Restart"] == "always", name
        assert unit["Unit"]["StartLimitIntervalSec"] == "0", name
        for key in ("Wants", "After"):
            assert "orderflow-migrate.service" in unit["Unit"][key].split(), name
        assert "Requires" not in unit["Unit"], "what cannot migrate now would keep everything from starting again"
